"""Channel pruning of an MNIST classifier by the product's own steps: multiply-adds, measured latency, accuracy.

    python benchmarks/channel_pruning.py --data FOLDER [--seed 0] [--validation]

FOLDER holds the four IDX files of MNIST. A convolutional network is trained, uploaded, and compared with
`prune-channels > finetune` of itself at batch 32, in eager PyTorch and in ONNX Runtime. Settings were chosen
with --validation, which tests on the validation split and records nothing.
Writes benchmarks/compression/channel-pruning-seed*.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from benchmarks import mnist, mnist_networks  # noqa: E402
from benchmarks.comparing import baseline, by_recipe, compare, figures, home  # noqa: E402
from benchmarks.facts import facts, largest_child_bytes, write  # noqa: E402
from engine.document import ComparisonDocument  # noqa: E402
from engine.training.augment import shifted  # noqa: E402
from engine.training.tensors import Tensors  # noqa: E402
from sample_models.fitting import Split, fit  # noqa: E402

WIDTH, EPOCHS, BATCH = 32, 4, 32
SMALLER = "prune-channels(ratio=0.5, importance=taylor) > finetune(epochs=3, learning_rate=0.002, augmentation=shift)"
RECIPES = ("onnx > onnxruntime", f"{SMALLER} > eager", f"{SMALLER} > onnx > onnxruntime")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the IDX files of MNIST")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--validation", action="store_true", help="test on the validation split, record nothing")
    options = parser.parse_args()
    began = time.monotonic()
    torch.set_num_threads(options.threads)
    train, validation, test = mnist.splits(options.data)
    with home() as folder:
        weights = folder / "mnist_classifier.safetensors"
        save_file(trained(train, validation, options.seed), weights)
        tested = validation if options.validation else test
        mnist.save(folder / "mnist.npz", {"train": train, "validation": validation, "test": tested})
        arguments = [str(weights), "--architecture", f"operator.mnist_networks.convolutional(width={WIDTH})"]
        arguments += ["--dataset", str(folder / "mnist.npz"), "--batch", str(BATCH), "--seed", str(options.seed)]
        arguments += ["--rounds", str(options.rounds), "--seconds", "1.0"]
        document = compare(folder, arguments, RECIPES, threads=options.threads)
    row = summary(document)
    print({name: each for name, each in row.items() if name != "variants"})
    if options.validation:
        return
    row |= {"seed": options.seed, "rounds": options.rounds, "baseline_epochs": EPOCHS}
    command = f"python benchmarks/channel_pruning.py --data FOLDER --seed {options.seed}"
    row |= facts(command, time.monotonic() - began, threads=options.threads)
    row["peak_memory_bytes"] = max(row["peak_memory_bytes"], largest_child_bytes())
    write(ROOT / "benchmarks" / "compression" / f"channel-pruning-seed{options.seed}.json", row)


def trained(train: Tensors, validation: Tensors, seed: int) -> dict[str, torch.Tensor]:
    """Weights of the classifier, the epoch that is best on the validation split."""
    torch.manual_seed(seed)
    module = mnist_networks.convolutional(WIDTH)
    splits = [Split((each.inputs[0],), each.labels) for each in (train, validation)]

    def moved(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (shifted(inputs[0], torch.default_generator),)

    fit(module, splits[0], splits[1], epochs=EPOCHS, learning_rate=5e-3, augment=moved)
    return {name: each.contiguous() for name, each in module.state_dict().items()}


def summary(document: ComparisonDocument) -> dict[str, Any]:
    """The figures to reach, and everything that was measured."""
    variants = [figures(each) for each in (baseline(document), *(by_recipe(document, each) for each in RECIPES))]
    original, onnx, pruned, pruned_onnx = variants
    operations = pruned["multiply_adds"]
    return {
        "benchmark": "channel-pruning",
        "multiply_adds": operations,
        "fewer_multiply_adds": operations["before"] / operations["after"],
        "accuracy": {"before": original["accuracy"]["value"], "after": pruned["accuracy"]["value"]},
        "accuracy_lost_points": 100 * (original["accuracy"]["value"] - pruned["accuracy"]["value"]),
        "speedup": {
            "eager": original["latency_ms"]["p50"] / pruned["latency_ms"]["p50"],
            "onnxruntime": onnx["latency_ms"]["p50"] / pruned_onnx["latency_ms"]["p50"],
        },
        "file_bytes": {"before": original["size_bytes"]["file"], "after": pruned["size_bytes"]["file"]},
        "unstable": [each["unstable"] for each in variants if each["unstable"]],
        "variants": variants,
    }


if __name__ == "__main__":
    main()
