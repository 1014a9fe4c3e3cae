"""Quantization-aware training: fine-tune with rounding in the loop, then convert to INT8 (PT2E)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.plugin import option
from engine.spec import ModelSpec
from engine.steps.base import Context, Step
from engine.training import LOSSY


@dataclass(frozen=True)
class QatInt8(Step):
    """Fine-tune the model while it rounds weights and activations to INT8, then store it as INT8.

    Costs a training run, and wins back most of what static INT8 loses. About four times smaller; faster
    only where the runtime has integer kernels for the graph.
    """

    name = "qat-int8"
    title = "Quantization-aware training"
    formats = {"torch-module": "exported-program"}
    uses = ("examples", "dataset", "seed", "device", "threads")
    requires = ("torch", "torchao")
    kind = "quantization"
    cost = 5.0
    paper = "Jacob et al. 2018, https://arxiv.org/abs/1712.05877"

    epochs: int = option(3, "How often to go through the training samples", min=1, max=1000)
    learning_rate: float = option(1e-4, "Largest step of the optimizer", min=1e-8, max=1.0)
    batch_size: int = option(64, "Samples in one update", min=2, max=4096)
    keep: str = option("", "Layers to keep in higher precision, separated by commas", kind="layers")

    @classmethod
    def accepts(cls, spec: ModelSpec) -> str | None:
        return "it changes the model's numbers, so a recipe has to name it"

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if spec.control_flow:
            return "the model branches or loops on its data, which torch.export can't capture"
        return None if spec.batch_dimension else "the model takes one batch size only, and training needs others"

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from torchao.quantization.pt2e import allow_exported_model_train_eval
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

        from engine.conversion.exporting import dynamic_shapes
        from engine.formats import torch_module
        from engine.steps.static_int8 import batch_of, save_quantized
        from engine.torch_bridge import positional
        from engine.training.in_step import forget_checkpoints, labelled_data, train_module
        from engine.training.modes import require_full_precision
        from engine.training.plan import Plan
        from engine.training.quantized_graph import capture, make_quantizer, settle_ranges

        data = labelled_data(context, self.title)
        module = torch_module.load(source.path)
        require_full_precision(module, self.title)
        shapes = dynamic_shapes(module, context.spec, batch_of(context.spec))
        inputs = positional(context.example(), context.spec)
        graph = capture(module.train(), inputs, shapes)
        prepared = prepare_qat_pt2e(graph, make_quantizer(graph, self.keep, training=True))
        allow_exported_model_train_eval(prepared)
        settle_ranges(prepared, data[0], self.batch_size)
        plan = Plan(self.epochs, self.learning_rate, batch_size=self.batch_size)
        curves = train_module(prepared, data, plan, context, what=self.title, part=(0.0, 0.8))
        forget_checkpoints(context)
        made = save_quantized(prepared, inputs, shapes, source, context)
        return made.derive(made.format, made.path, lossy=LOSSY, training=[*source.details.get("training", []), curves])
