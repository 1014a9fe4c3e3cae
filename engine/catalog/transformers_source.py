"""Hugging Face transformers, by class name and configuration."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.catalog.base import BATCH, Description, Source, pixels
from engine.errors import BadInput
from engine.spec import Preprocessing, Task, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

TEXT = ("input_ids", "attention_mask", "token_type_ids")
LISTED = (
    "BertModel", "BertForSequenceClassification", "DistilBertModel", "DistilBertForSequenceClassification",
    "RobertaModel", "RobertaForSequenceClassification", "AlbertModel", "ElectraModel", "MPNetModel",
    "ViTModel", "ViTForImageClassification", "DeiTForImageClassification", "SwinForImageClassification",
    "ConvNextForImageClassification", "ResNetForImageClassification", "GPT2Model", "GPT2LMHeadModel",
    "Wav2Vec2Model", "T5EncoderModel", "CLIPVisionModel", "CLIPTextModelWithProjection",
)  # fmt: skip
SEQUENCE, DECODED = 128, 16


@dataclass(frozen=True)
class TransformersSource(Source):
    """Models of Hugging Face transformers; `arguments` are `config` (a config.json) or single settings of it."""

    name = "transformers"
    title = "transformers"
    requires = ("transformers",)
    where = "Use a model class of transformers, such as transformers.BertModel."
    open_ended = True

    @classmethod
    def names(cls) -> list[str]:
        return list(LISTED)

    @classmethod
    def preload(cls, name: str) -> None:
        import transformers

        getattr(transformers, name, None)  # its module is imported when the name is looked up

    @classmethod
    def build(cls, name: str, arguments: Mapping[str, Any]) -> nn.Module:
        from engine.adapter import adapted

        model = bare(name, arguments)
        return adapted(model, tuple(each.name for each in inputs_of(model)))

    @classmethod
    def renamed(cls, module: nn.Module, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """transformers stores weights under other names than it runs them; only it knows which."""
        model: Any = module.model
        if not set(tensors).isdisjoint(model.state_dict()) and set(tensors) >= set(model.state_dict()):
            return tensors
        try:
            loaded, said = type(model).from_pretrained(
                None, config=model.config, state_dict=dict(tensors), output_loading_info=True, dtype="float32"
            )
        except Exception:  # weights of another architecture: who calls says which names don't fit
            return tensors
        return tensors if any(said.values()) else {f"model.{name}": each for name, each in loaded.state_dict().items()}

    @classmethod
    def describe(cls, name: str, arguments: Mapping[str, Any], module: nn.Module) -> Description:
        model: Any = module.model
        inputs = inputs_of(model)
        named_sizes = {"sequence": min(SEQUENCE, longest(model.config)), "decoder_sequence": DECODED}
        sizes = {name: size for name, size in named_sizes.items() if any(name in each.shape for each in inputs)}
        task: Task = "classification" if "Classification" in type(model).__name__ else "embedding"
        if re.search(r"LM|Generation|QuestionAnswering|Token|Masked|Segmentation|CTC|Depth", type(model).__name__):
            task = "other"
        if "ObjectDetection" in type(model).__name__:
            task = "detection"
        labels = getattr(model.config, "id2label", None) or {}
        named = tuple(str(labels[key]) for key in sorted(labels, key=int)) if task == "classification" else ()
        resize = image_size(model.config) if inputs[0].name == "pixel_values" else None
        return Description(
            inputs=inputs,
            sizes=sizes,
            task=task,
            preprocessing=Preprocessing(
                resize=resize,
                mean=(0.5, 0.5, 0.5) if resize else (),
                std=(0.5, 0.5, 0.5) if resize else (),
                max_length=sizes.get("sequence", SEQUENCE),
                labels=named,
            ),
            guessed=("task", "preprocessing") if resize else ("task",),
        )


def bare(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The transformers model itself, without cache and with random weights."""
    import transformers

    chosen = getattr(transformers, name, None)
    if not (isinstance(chosen, type) and issubclass(chosen, transformers.PreTrainedModel)) and name not in AUTO:
        raise BadInput(f"transformers has no model class {name!r}.", TransformersSource.where)
    settings = dict(arguments)
    given = dict(settings.pop("config", {}))
    config_class = getattr(chosen, "config_class", None)
    if config_class is None or given.get("model_type") not in (None, config_class.model_type):
        config_class = type(transformers.AutoConfig.for_model(given["model_type"]))
    given = {key: value for key, value in given.items() if key not in ("architectures", "torch_dtype", "dtype")}
    config = config_class.from_dict({**given, **settings})
    config.use_cache = False
    if name in AUTO:
        automatic: nn.Module = chosen.from_config(config)  # type: ignore[union-attr]
        return automatic
    built: nn.Module = chosen(config)  # type: ignore[misc]
    return built


AUTO = ("AutoModel", "AutoModelForSequenceClassification", "AutoModelForImageClassification", "AutoModelForMaskedLM")


def inputs_of(model: Any) -> tuple[TensorSpec, ...]:
    """The inputs a model needs, by its main input's name and its forward's parameters."""
    config = model.config
    main = getattr(model, "main_input_name", "input_ids")
    accepted = inspect.signature(model.forward).parameters
    if main == "pixel_values":
        height, width = image_size(config)
        return (pixels(height, width, int(getattr(config, "num_channels", 3))),)
    if main in ("input_values", "input_features") and "input_ids" not in accepted:
        if main == "input_features":
            bins = int(getattr(config, "num_mel_bins", 80))
            frames = 2 * int(getattr(config, "max_source_positions", 1500))
            return (TensorSpec(main, "float32", (BATCH, bins, frames)), *decoder_inputs(config, accepted))
        return (TensorSpec(main, "float32", (BATCH, "samples")),)
    shape = (BATCH, "sequence")
    found = [TensorSpec("input_ids", "int64", shape, low=0, high=words(config))]
    if "pixel_values" in accepted and getattr(config, "vision_config", None) is not None:
        found.append(pixels(*image_size(config.vision_config)))
    if "attention_mask" in accepted:
        found.append(TensorSpec("attention_mask", "int64", shape, low=1, high=2))
    kinds = int(getattr(config, "type_vocab_size", 0) or 0)
    if "token_type_ids" in accepted and kinds > 1:
        found.append(TensorSpec("token_type_ids", "int64", shape, low=0, high=kinds))
    return (*found, *decoder_inputs(config, accepted))


def decoder_inputs(config: Any, accepted: Collection[str]) -> tuple[TensorSpec, ...]:
    """What the second half of a translating or transcribing model is given: the words so far."""
    if not getattr(config, "is_encoder_decoder", False) or "decoder_input_ids" not in accepted:
        return ()
    return (TensorSpec("decoder_input_ids", "int64", (BATCH, "decoder_sequence"), low=0, high=words(config)),)


def words(config: Any) -> int:
    """How many tokens a model knows."""
    return int(getattr(getattr(config, "text_config", None) or config, "vocab_size", 2))


def longest(config: Any) -> int:
    """The longest sequence a model takes; RoBERTa's kind keeps the first positions for padding."""
    text = getattr(config, "text_config", None) or config
    limit = int(getattr(text, "max_position_embeddings", 0) or SEQUENCE)
    padded = re.search(r"roberta|camembert|mpnet|longformer", str(config.model_type))
    return limit - int(text.pad_token_id or 0) - 1 if padded else limit


def image_size(config: Any) -> tuple[int, int]:
    """Height and width of a vision model's input."""
    size = getattr(config, "image_size", None) or 224
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
