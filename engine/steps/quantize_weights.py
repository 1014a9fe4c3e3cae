"""Weight-only quantization of PyTorch modules by torchao: integers in memory, floats in the arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import StepFailed, Unsupported
from engine.plugin import option
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class QuantizeWeights(Step):
    """Store the weights of linear layers and embeddings as INT8 or INT4 with a scale for each row or group.

    Shrinks file and memory about four or eight times and needs no data. Speeds up models that wait for
    weights from memory, such as language models at small batches; elsewhere it can be slower.
    """

    name = "quantize-weights"
    title = "Weight-only quantization"
    formats = {"torch-module": "torch-module"}
    uses = ("device",)
    requires = ("torch", "torchao")
    kind = "quantization"
    paper = "Dettmers et al. 2022, LLM.int8(), https://arxiv.org/abs/2208.07339"

    bits: str = option("8", "Bits of a weight; 4 needs an NVIDIA GPU and BF16 weights", choices=("8", "4"))
    embeddings: bool = option(True, "Quantize embedding tables too (INT8)")
    group_size: int = option(64, "Inputs that share a scale, for INT4", min=32, max=256)
    keep: str = option("", "Layers to keep in higher precision, separated by commas", kind="layers")

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if self.bits == "4" and not device.startswith("cuda"):
            return "INT4 weights need an NVIDIA GPU: PyTorch has no INT4 kernels for this CPU; use bits=8"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch
        from torch import nn

        from engine.formats import torch_module
        from engine.pruning.channels import kept_layers

        module = torch_module.load(source.path)
        kept = {id(each) for each in kept_layers(module, self.keep)}
        parts = {name: each for name, each in module.named_modules() if id(each) not in kept}
        linear = {name: each for name, each in parts.items() if isinstance(each, nn.Linear)}
        found = {name: each for name, each in parts.items() if isinstance(each, nn.Embedding) and self.embeddings}
        tables = {name: each for name, each in found.items() if type(each).forward is nn.Embedding.forward}
        if not linear and not tables:
            raise Unsupported("The model has no linear layer or embedding to quantize.", "Use static INT8 instead.")
        weights = {name: each.weight.detach().clone() for name, each in (linear | tables).items()}
        try:
            self.quantize(module, set(linear.values()), set(tables.values()), context.device)
        except (RuntimeError, ValueError, AssertionError, NotImplementedError, ImportError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise StepFailed(
                f"torchao could not quantize the weights: {first}", "Use bits=8 or keep layers."
            ) from error
        skipped = [name for name, each in module.named_modules() if isinstance(each, nn.modules.conv._ConvNd)]
        if skipped:
            context.warn(
                f"{len(skipped)} convolutions keep their precision: weight-only kernels are for linear layers."
            )
        if len(tables) < len(found):
            own = ", ".join(each for each in found if each not in tables)
            context.warn(f"Embeddings that read their table in a way of their own keep their precision: {own}.")
        with torch.no_grad():
            report = [
                error_of(name, before, part_weight(module, name), self.bits, tables) for name, before in weights.items()
            ]
        record = {"step": self.name, "layers": list(weights)}
        path = torch_module.save(context.folder, module, source.path, record)
        return source.derive("torch-module", path, precision=f"int{self.bits}", report=report, skipped=skipped)

    @classmethod
    def replay(cls, module: Any, record: Mapping[str, Any]) -> Any:
        for name in record["layers"]:
            module.get_submodule(name).weight.requires_grad_(False)  # integers, which exporters refuse to differentiate
        return module

    def quantize(self, module: Any, linear: set[Any], tables: set[Any], device: str) -> None:
        """Replace the weights by torchao's tensors."""
        import torch
        from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_
        from torchao.quantization.granularity import PerAxis

        if self.bits == "8":
            config: Any = Int8WeightOnlyConfig(set_inductor_config=False)
        else:
            from torchao.quantization import Int4WeightOnlyConfig
            from torchao.quantization.quantize_.workflows import Int4PackingFormat

            if any(each.weight.dtype is not torch.bfloat16 for each in linear):
                raise StepFailed("INT4 kernels take BF16 weights.", "Put bfloat16 before quantize-weights.")
            module.to(device)
            config = Int4WeightOnlyConfig(
                group_size=self.group_size,
                set_inductor_config=False,
                int4_packing_format=Int4PackingFormat.TILE_PACKED_TO_4D,
            )
        quantize_(module, config, filter_fn=lambda part, _: part in linear)
        table_config = IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerAxis(0))
        quantize_(module, table_config, filter_fn=lambda part, _: part in tables)
        module.to("cpu")


def part_weight(module: Any, name: str) -> Any:
    """The quantized weight of one layer, as floats where it can be read back."""
    weight = module.get_submodule(name).weight
    return weight.dequantize() if hasattr(weight, "dequantize") and type(weight).__name__ != "Parameter" else weight


def error_of(name: str, before: Any, after: Any, bits: str, tables: dict[str, Any]) -> dict[str, Any]:
    """How far a layer's weights moved: relative L2 error."""
    before, after = before.float(), after.float().to(before.device)
    error = float((after - before).norm() / before.norm().clamp_min(1e-12))
    return {"layer": name, "bits": 8 if name in tables else int(bits), "weights": before.numel(), "relative_l2": error}
