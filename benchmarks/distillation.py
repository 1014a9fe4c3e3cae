"""Distillation on MNIST with 1,000 labels, the rest unlabelled: a small student with and without its teacher.

    python benchmarks/distillation.py --data FOLDER --seed 0 [--validation]

The labels are drawn anew for each seed: 800 train, 200 choose the epoch. The teacher learns from the 800 alone,
turned, scaled and shifted a little. `distill` then trains a student on all images; its control trains the same
student, from the same first weights, with as many updates, on the 800, shifted as the distilled one's are.
Settings were chosen with --validation, which tests on 5,000 training images that nothing else uses and records
nothing. Writes benchmarks/compression/distillation-seed*.json.
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
from engine.data.splits import UNLABELLED  # noqa: E402
from engine.document import ComparisonDocument  # noqa: E402
from engine.training.tensors import Tensors  # noqa: E402
from sample_models.fitting import Split, fit  # noqa: E402

TEACHER, STUDENT = 16, 7
LABELS, CHOOSING = 1000, 200
TEACHER_EPOCHS = 250
SHARED = (
    f'student=operator.mnist_networks.convolutional, arguments="width={STUDENT}", '
    "epochs=8, batch_size=128, learning_rate=0.005, augmentation=shift"
)
DISTILLED, CONTROL = f"distill({SHARED}, alpha=0.9) > eager", f"distill({SHARED}, control=true) > eager"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the IDX files of MNIST")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--validation", action="store_true", help="test on training images, record nothing")
    options = parser.parse_args()
    began = time.monotonic()
    torch.set_num_threads(options.threads)
    labelled, choosing, everything, test = drawn(options.data, options.seed, validation=options.validation)
    with home() as folder:
        weights = folder / "teacher.safetensors"
        save_file(teacher(labelled, choosing, options.seed), weights)
        mnist.save(folder / "mnist.npz", {"train": everything, "validation": choosing, "test": test})
        arguments = [str(weights), "--architecture", f"operator.mnist_networks.convolutional(width={TEACHER})"]
        arguments += ["--dataset", str(folder / "mnist.npz"), "--batch", "32", "--seed", str(options.seed)]
        document = compare(folder, [*arguments, "--rounds", "1"], (DISTILLED, CONTROL), threads=options.threads)
    row = summary(document)
    print({name: each for name, each in row.items() if name != "variants"})
    if options.validation:
        return
    row |= {"seed": options.seed, "labels": LABELS, "images": len(everything), "teacher_epochs": TEACHER_EPOCHS}
    command = f"python benchmarks/distillation.py --data FOLDER --seed {options.seed}"
    row |= facts(command, time.monotonic() - began, threads=options.threads)
    row["peak_memory_bytes"] = max(row["peak_memory_bytes"], largest_child_bytes())
    write(ROOT / "benchmarks" / "compression" / f"distillation-seed{options.seed}.json", row)


def drawn(folder: Path, seed: int, *, validation: bool) -> tuple[Tensors, Tensors, Tensors, Tensors]:
    """Labelled samples to train on, labelled ones to choose by, all training images, and what is tested on."""
    train, held, test = mnist.splits(folder)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    choosing, rest = order[:CHOOSING], order[CHOOSING:]
    images, labels = train.inputs[0], train.labels
    hidden = labels[rest].clone()
    hidden[LABELS - CHOOSING :] = UNLABELLED
    known = rest[: LABELS - CHOOSING]
    return (
        Tensors((images[known],), labels[known]),
        Tensors((images[choosing],), labels[choosing]),
        Tensors((images[rest],), hidden),
        held if validation else test,
    )


def teacher(labelled: Tensors, choosing: Tensors, seed: int) -> dict[str, torch.Tensor]:
    """Weights of a teacher that saw the labelled samples alone."""
    torch.manual_seed(seed)
    module = mnist_networks.convolutional(TEACHER)
    splits = [Split((each.inputs[0],), each.labels) for each in (labelled, choosing)]

    fit(module, splits[0], splits[1], epochs=TEACHER_EPOCHS, learning_rate=5e-3, augment=moved)
    return {name: each.contiguous() for name, each in module.state_dict().items()}


def moved(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Images (n, 1, height, width) turned by up to 11 degrees, scaled by up to 10 % and shifted by up to 10 %."""
    images = inputs[0]
    angle, scale, right, down = (2 * torch.rand(4, len(images)) - 1) * torch.tensor([[0.2], [0.1], [0.2], [0.2]])
    cosine, sine = (1 + scale) * torch.cos(angle), (1 + scale) * torch.sin(angle)
    theta = torch.stack([torch.stack([cosine, -sine, right], 1), torch.stack([sine, cosine, down], 1)], 1)
    grid = torch.nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
    return (torch.nn.functional.grid_sample(images, grid, align_corners=False),)


def summary(document: ComparisonDocument) -> dict[str, Any]:
    """The accuracy of teacher, student and control, and how much smaller the student is."""
    variants = [
        figures(each) for each in (baseline(document), by_recipe(document, DISTILLED), by_recipe(document, CONTROL))
    ]
    parameters = variants[1]["distillation"]["parameters"]
    accuracy = [each["accuracy"]["value"] for each in variants]
    return {
        "benchmark": "distillation",
        "parameters": parameters,
        "fewer_parameters": parameters["teacher"] / parameters["student"],
        "accuracy": dict(zip(("teacher", "distilled", "alone"), accuracy, strict=True)),
        "gained_points": 100 * (accuracy[1] - accuracy[2]),
        "variants": variants,
    }


if __name__ == "__main__":
    main()
