"""Ready-made sets of recipes, and names for the ones a user makes.

*Quick* looks at four variants that need no long compilation; *full* and *recorded* at everything
that makes sense here. What a model's format or this machine can't do is left out of a preset; a
recipe that is asked for by name stays, with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import BadInput
from engine.formats import all_formats
from engine.plugin import Plugin
from engine.recipes import parse, render_use
from engine.routes import plan
from engine.runtimes import all_runtimes
from engine.spec import ModelSpec, Recipe, Use, Variant
from engine.steps import step_for, steps_named

QUICK_VARIANTS = 4
NAMES = ("quick", "full", "recorded")

Recipes = list[tuple[str, str]]

CPU_QUICK: Recipes = [
    ("TorchScript · traced, frozen", "trace > freeze > torchscript"),
    ("TorchScript · frozen", "@torchscript > freeze > torchscript"),
    ("ONNX Runtime", "onnxruntime"),
    ("ONNX Runtime · INT8", "dynamic-int8 > onnxruntime"),
    ("TorchScript · scripted, frozen", "script > freeze > torchscript"),
    ("ONNX Runtime · simplified", "onnx-simplify > onnxruntime"),
    ("ONNX Runtime · basic optimization", "onnxruntime(graph_optimization=basic)"),
]
CPU_MORE: Recipes = [
    ("PyTorch eager", "eager"),
    ("PyTorch eager · channels-last", "eager(channels_last=true)"),
    ("PyTorch eager · BF16", "bfloat16 > eager"),
    ("TorchScript", "torchscript"),
    ("TorchScript · for inference", "torchscript(optimize_for_inference=true)"),
    ("TorchScript · oneDNN fusion", "freeze > torchscript(onednn_fusion=true)"),
    ("torch.compile", "torch-compile"),
    ("AOTInductor", "aoti"),
    ("LibTorch · C++", "libtorch"),
]
CUDA_QUICK: Recipes = [
    ("PyTorch eager · FP16", "half > eager"),
    ("TensorRT · FP16 · CUDA graph", "half > onnx > tensorrt(cuda_graph=true) [static]"),
    ("TensorRT · FP16 · CUDA graph", "half > tensorrt(cuda_graph=true) [static]"),
    ("ONNX Runtime · FP16", "half > onnx > onnxruntime"),
    ("ONNX Runtime · FP16", "half > onnxruntime"),
    ("TorchScript · FP16", "half > trace > freeze > torchscript"),
    ("TorchScript · FP16", "half > freeze > torchscript"),
    ("ONNX Runtime", "onnxruntime"),
    ("TorchScript · frozen", "freeze > torchscript"),
]
CUDA_MORE: Recipes = [
    ("PyTorch eager", "eager"),
    ("PyTorch eager · TF32", "eager(tf32=true)"),
    ("PyTorch eager · FP16 · CUDA graph", "half > eager(cuda_graph=true)"),
    ("PyTorch eager · FP16 · channels-last", "half > eager(channels_last=true)"),
    ("PyTorch eager · BF16", "bfloat16 > eager"),
    ("PyTorch eager · FP16 autocast", "eager(autocast=fp16)"),
    ("torch.compile · FP16 · reduce-overhead", "half > torch-compile(mode=reduce-overhead)"),
    ("torch.compile · FP16 · max-autotune", "half > torch-compile(mode=max-autotune)"),
    ("AOTInductor · FP16 · CUDA graph", "half > aoti(cuda_graph=true)"),
    ("ONNX Runtime · FP16 · CUDA graph", "half > onnx > onnxruntime(cuda_graph=true, nhwc=true) [static]"),
    ("ONNX Runtime · FP16 · CUDA graph", "half > onnxruntime(cuda_graph=true, nhwc=true) [static]"),
    ("TensorRT · FP32", "tensorrt(cuda_graph=true) [static]"),
    ("TensorRT · TF32", "tensorrt-build(tf32=true) > tensorrt(cuda_graph=true) [static]"),
    ("TensorRT · FP16", "half > onnx > tensorrt"),
    ("TensorRT · BF16 · CUDA graph", "bfloat16 > onnx > tensorrt(cuda_graph=true) [static]"),
    ("Torch-TensorRT · FP16", "half > torch-tensorrt-compile > torch-tensorrt-runtime"),
    ("Torch-TensorRT · JIT · FP16", "half > torch-tensorrt-jit"),
    ("LibTorch · C++ · FP16", "half > trace > freeze > libtorch"),
]


def recipes(spec: ModelSpec, device: str, preset: str) -> Recipes:
    """Labels and recipes of a preset for one model on one device, the format's reference first."""
    if preset not in NAMES:
        raise BadInput(f"There is no preset {preset!r}.", f"Presets: {', '.join(NAMES)}.")
    on_gpu = device.startswith("cuda")
    quick, more = (CUDA_QUICK, CUDA_MORE) if on_gpu else (CPU_QUICK, CPU_MORE)
    candidates = quick if preset == "quick" else [*more, *quick]
    chosen = [baseline(spec)]
    for name, text in candidates:
        if name not in {label for label, _ in chosen} and possible(spec, text, device, chosen):
            chosen.append((name, text))
    return chosen[:QUICK_VARIANTS] if preset == "quick" else chosen


def possible(spec: ModelSpec, text: str, device: str, chosen: Recipes) -> bool:
    """Whether a preset's recipe leads anywhere here, and not where another one went already."""
    try:
        variant = plan(spec, parse(text), device)
    except BadInput:
        return False
    if variant.unsupported:
        return False
    taken = [plan(spec, parse(each), device) for _, each in chosen]
    runtimes = [(each.route, each.recipe.runtime, each.recipe.static) for each in taken]
    return (variant.route, variant.recipe.runtime, variant.recipe.static) not in runtimes


def baseline(spec: ModelSpec) -> tuple[str, str]:
    """The reference of the model's format: what every variant is compared with."""
    reference = all_formats()[spec.format].reference
    if reference is None:
        raise BadInput(f"A model of the format {spec.format} has no reference to compare with.", "Upload its source.")
    recipe = Recipe((), reference)
    return label(recipe, spec.format), render_use(reference)


def variants(spec: ModelSpec, device: str, recipes: Sequence[tuple[str, str]]) -> list[Variant]:
    """Plan recipes for one model; the baseline comes first, and is added when it is not among them.

    A recipe without a label gets one. Raises BadInput when a recipe can't be read.
    """
    name, text = baseline(spec)
    reference = parse(text)
    planned = [plan(spec, reference, device, label=name, baseline=True)]
    for given, each in recipes:
        recipe = parse(each)
        if recipe != reference:
            planned.append(plan(spec, recipe, device, label=given or label(recipe, spec.format)))
    return planned


def label(recipe: Recipe, format: str = "") -> str:
    """A short name for a recipe: its runtime, then what sets it apart."""
    runtime = all_runtimes()[recipe.runtime.name]
    parts = [runtime.title or runtime.name]
    for use in recipe.steps:
        if use.name.startswith("@"):
            continue
        step = step_for(use.name, format) or next(iter(steps_named(use.name)), None)
        parts.append(named(step.title if step and step.title else use.name, step, use))
    parts.extend(said(runtime, recipe.runtime))
    if recipe.static:
        parts.append("static")
    return " · ".join(dict.fromkeys(parts))


def named(title: str, plugin: type[Plugin] | None, use: Use) -> str:
    """A step's title with the options that were set."""
    options = said(plugin, use) if plugin else []
    return f"{title} ({', '.join(options)})" if options else title


def said(plugin: type[Plugin], use: Use) -> list[str]:
    """The options that were set, in words: a flag by its label, anything else with its value."""
    words = []
    known = {each.name: each for each in plugin.option_list()}
    for name, value in use.options.items():
        title = known[name].label if name in known else name
        words.append(title if value is True else f"no {title.lower()}" if value is False else f"{title} {value}")
    return words
