"""Deep Compression at the size of VGG-16 and ResNet-50: fixed pruning and bits, no training, no accuracy.

    python benchmarks/deep_compression_scale.py [--network vgg16] [--coding adaptive]

Weights are random, because the papers' need ImageNet; sizes are therefore those of a given sparsity and
number of bits, and the point is time, memory, and that the file gives back the network bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.facts import facts, peak_memory_bytes, write  # noqa: E402
from engine import catalog  # noqa: E402
from engine.coding import container  # noqa: E402
from engine.coding.one_shot import share_at_once  # noqa: E402

RESULTS = ROOT / "benchmarks" / "compression"
AMOUNTS = {"vgg16": 0.925, "resnet50": 0.7}
LEVELS, CONV_LEVELS = 31, 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=tuple(AMOUNTS), action="append")
    parser.add_argument("--coding", choices=container.CODINGS, action="append")
    parser.add_argument(
        "--evaluate", type=Path, help="checksum of the outputs of a file; what a fresh process is asked"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    for network in options.network or AMOUNTS:
        if options.evaluate:
            print(json.dumps(evaluate(options.evaluate, network)))
            continue
        for coding in options.coding or container.CODINGS:
            run(network, coding)


def run(network: str, coding: str) -> None:
    """Compress, write, decode in a fresh process, compare the outputs, and record it."""
    torch.manual_seed(0)
    module = catalog.build(f"torchvision.{network}", {})
    parameters = sum(each.numel() for each in module.parameters())
    started = time.perf_counter()
    contents = share_at_once(module, AMOUNTS[network], LEVELS, CONV_LEVELS)
    shared_s = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "weights.obdc"
        size = container.write(path, contents, coding)
        coded_s = time.perf_counter() - started - shared_s
        module.load_state_dict({name: torch.from_numpy(each) for name, each in contents.values().items()})
        command = [sys.executable, __file__, "--network", network, "--evaluate", str(path)]
        decoded = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    chosen = f"--network {network} --coding {coding}"
    row = {
        "network": network,
        "coding": coding,
        "amount": AMOUNTS[network],
        "levels": {"linear": LEVELS, "conv": CONV_LEVELS},
        "parameters": parameters,
        "file_bytes": size,
        "ratio": parameters * 4 / size,
        "same_outputs_after_decoding": decoded["checksum"] == checksum(module),
        "seconds": {"sharing": round(shared_s, 1), "coding": round(coded_s, 1), "decoding": decoded["decode_s"]},
        "decoder_peak_memory_bytes": decoded["peak_memory_bytes"],
        **facts(f"python benchmarks/deep_compression_scale.py {chosen}", time.perf_counter() - started, threads=1),
    }
    write(RESULTS / f"scale-{network}-{coding}.json", row)
    print(json.dumps(row), flush=True)


def evaluate(path: Path, network: str) -> dict[str, object]:
    """Decode a file and run the network that it holds."""
    started = time.perf_counter()
    values = container.read(path).values()
    seconds = round(time.perf_counter() - started, 1)
    peak = peak_memory_bytes()
    module = catalog.build(f"torchvision.{network}", {})
    module.load_state_dict({name: torch.from_numpy(each) for name, each in values.items()})
    return {"checksum": checksum(module), "decode_s": seconds, "peak_memory_bytes": peak}


@torch.no_grad()
def checksum(module: nn.Module) -> str:
    """A digest of the outputs for one seeded image, bit for bit."""
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    return hashlib.sha256(module.eval()(image).numpy().tobytes()).hexdigest()


if __name__ == "__main__":
    main()
