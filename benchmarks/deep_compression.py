"""Deep Compression on MNIST: train, compress into a real file, decode it in a fresh process and test that.

    python benchmarks/deep_compression.py --data FOLDER                      everything, one run after another
    python benchmarks/deep_compression.py --data FOLDER --network lenet-5 --method better --seed 0

FOLDER holds the four IDX files of MNIST, gzipped or not. 5,000 of the 60,000 training images are the
validation split, which settings were chosen on; the test images are read for the final figures alone.
Each run has one thread and a process of its own and writes benchmarks/compression/*.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.facts import facts, write  # noqa: E402
from benchmarks.mnist import splits  # noqa: E402
from benchmarks.mnist_networks import lenet_5, lenet_300_100  # noqa: E402
from engine.coding import container  # noqa: E402
from engine.coding.learning import Running  # noqa: E402
from engine.coding.pipeline import PAPER, Settings, compress  # noqa: E402
from engine.coding.report import layer_report  # noqa: E402
from engine.coding.targets import Lessons  # noqa: E402
from engine.training.objective import Classification, judge  # noqa: E402
from engine.training.tensors import Tensors  # noqa: E402

RESULTS = ROOT / "benchmarks" / "compression"
NETWORKS = {"lenet-300-100": lenet_300_100, "lenet-5": lenet_5}
SEEDS = (3, 4, 5)


@dataclass(frozen=True)
class Case:
    """A network, how long its baseline is trained, and how it is compressed."""

    network: str
    baseline_epochs: int
    coding: str
    settings: Settings

    def build(self) -> nn.Module:
        return NETWORKS[self.network]()


CASES = {
    ("lenet-300-100", "better"): Case(
        "lenet-300-100",
        30,
        "adaptive",
        Settings(amount=0.9781, levels=12, prune_epochs=120, share_epochs=30, tune_epochs=12),
    ),
    ("lenet-5", "better"): Case(
        "lenet-5",
        8,
        "adaptive",
        Settings(amount=0.9865, conv_levels=12, prune_epochs=18, share_epochs=8, tune_epochs=3),
    ),
    ("lenet-300-100", "paper"): Case(
        "lenet-300-100", 30, "huffman", replace(PAPER, prune_epochs=30, share_epochs=0, tune_epochs=10)
    ),
    ("lenet-5", "paper"): Case(
        "lenet-5", 8, "huffman", replace(PAPER, levels=32, prune_epochs=10, share_epochs=0, tune_epochs=3)
    ),
}


def main() -> None:
    options = read_arguments()
    if options.evaluate:
        print(json.dumps(evaluate(options.evaluate, options.network, options.data)))
    elif options.seed is not None:
        run(options.data, options.network, options.method, options.seed)
    else:
        for network, method in CASES:
            for seed in SEEDS:
                chosen = ["--network", network, "--method", method, "--seed", str(seed)]
                subprocess.run([sys.executable, __file__, "--data", str(options.data), *chosen], check=True)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the IDX files of MNIST")
    parser.add_argument("--network", choices=("lenet-300-100", "lenet-5"), default="lenet-300-100")
    parser.add_argument("--method", choices=("better", "paper"), default="better")
    parser.add_argument("--seed", type=int, help="one run alone")
    parser.add_argument("--evaluate", type=Path, help="test error of a compressed file; what a fresh process is asked")
    return parser.parse_args()


def run(folder: Path, network: str, method: str, seed: int) -> None:
    """Train, compress, encode, and have a fresh process test the file; write what came out."""
    torch.set_num_threads(1)
    case = CASES[network, method]
    train, validation, _ = splits(folder)
    started = time.perf_counter()
    module = train_baseline(case, (train, validation), seed)
    baseline_s = time.perf_counter() - started
    compressed = compress(module, (train, validation), case.settings, Running(seed=seed, progress=tell))
    compress_s = time.perf_counter() - started - baseline_s
    data = container.encode(compressed.contents, case.coding)
    encode_s = time.perf_counter() - started - baseline_s - compress_s
    total_s, processor_s = time.perf_counter() - started, time.process_time()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "weights.obdc"
        path.write_bytes(data)
        command = [sys.executable, __file__, "--data", str(folder), "--network", network, "--evaluate", str(path)]
        decoded = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    _, _, test = splits(folder)
    values = {name: torch.from_numpy(each) for name, each in compressed.contents.values().items()}
    shared = copy.deepcopy(module)
    shared.load_state_dict(values)
    parameters = sum(each.numel() for each in module.parameters())
    chosen = f"--network {network} --method {method} --seed {seed}"
    row = {
        "network": network,
        "method": method,
        "seed": seed,
        "baseline_error": error_of(module, test),
        "error": decoded["error"],
        "validation_error": {"baseline": error_of(module, validation), "compressed": error_of(shared, validation)},
        "file_bytes": len(data),
        "baseline_bytes": parameters * 4,
        "ratio": parameters * 4 / len(data),
        "seconds": {
            "baseline": round(baseline_s, 1),
            "compression": round(compress_s, 1),
            "encoding": round(encode_s, 1),
            "total": round(total_s, 1),
            "processor_time": round(processor_s, 1),
            "decoding": decoded["decode_s"],
        },
        "same_outputs_after_decoding": decoded["checksum"] == checksum(shared, test),
        "settings": asdict(case.settings),
        "baseline_epochs": case.baseline_epochs,
        "coding": case.coding,
        "layers": layer_report(compressed.contents, module.state_dict()),
        "warnings": compressed.warnings,
        **facts(f"python benchmarks/deep_compression.py --data FOLDER {chosen}", total_s, threads=1),
    }
    write(RESULTS / f"{network}-{method}-seed{seed}.json", row)
    print({key: row[key] for key in ("baseline_error", "error", "file_bytes", "ratio", "seconds")}, flush=True)


def train_baseline(case: Case, data: tuple[Tensors, Tensors], seed: int) -> nn.Module:
    """Train the network as it is, with the same moved images as compression where that uses them."""
    torch.manual_seed(seed)
    module = case.build()
    lessons = Lessons(module, data[0], 0, case.settings.shift, needed=False)
    optimizer = torch.optim.Adam(module.parameters(), fused=True)
    steps = case.baseline_epochs * -(-len(data[0]) // 128)
    done = 0
    for epoch in range(case.baseline_epochs):
        for batch, _ in lessons.batches(128, torch.Generator().manual_seed(seed * 1000 + epoch)):
            optimizer.param_groups[0]["lr"] = 2e-3 * (1 - done / steps)
            loss = nn.functional.cross_entropy(module(*batch.inputs), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
        print(f"baseline, epoch {epoch + 1}: validation error {error_of(module, data[1]):.2f} %", flush=True)
    return module.eval()


def evaluate(path: Path, network: str, folder: Path) -> dict[str, Any]:
    """Decode a file and test the network that it holds."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    values = container.read(path).values()
    seconds = time.perf_counter() - started
    module = CASES[network, "better"].build()
    module.load_state_dict({name: torch.from_numpy(each) for name, each in values.items()})
    _, _, test = splits(folder)
    return {"error": error_of(module, test), "decode_s": round(seconds, 2), "checksum": checksum(module.eval(), test)}


def error_of(module: nn.Module, data: Tensors) -> float:
    """Per cent of wrong answers."""
    accuracy = judge(module.eval(), data, Classification(), 0, device="cpu").accuracy
    return round(100.0 * (1.0 - (accuracy or 0.0)), 4)


@torch.no_grad()
def checksum(module: nn.Module, data: Tensors) -> str:
    """A digest of the scores of the first 256 samples, bit for bit."""
    import hashlib

    scores = module.to(memory_format=torch.contiguous_format)(data.inputs[0][:256])
    return hashlib.sha256(scores.numpy().tobytes()).hexdigest()


def tell(fraction: float | None, text: str = "", **data: Any) -> None:
    """Show each epoch."""
    if "curve" in data:
        point = data["curve"]
        error = 100 * (1 - (point["validation_accuracy"] or 0))
        print(f"{text}: {point['kept']} weights, validation error {error:.2f} %, {point['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
