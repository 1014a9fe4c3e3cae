"""Run every test that needs a GPU, each library family in a process of its own, and keep one JUnit file.

    python benchmarks/gpu_tests.py --out benchmarks/gpu-tests.xml [--seconds 400]

NVIDIA's libraries can't share a process, and a test that crashes must not cost the others. A family
that dies without a report is an error in the file, with the last words of its log.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.handwritten import machine  # noqa: E402

FAMILIES = {
    "plain": ["tests/runtimes", "-k", "not libtorch and not compile and not aoti"],
    "torch.compile": ["tests/runtimes", "-k", "compile and not libtorch"],
    "AOTInductor": ["tests/runtimes", "-k", "aoti and not libtorch"],
    "LibTorch": ["tests/runtimes", "-k", "libtorch"],
    "TensorRT": ["tests/nvidia/test_tensorrt_gpu.py"],
    "Torch-TensorRT": ["tests/nvidia/test_torch_tensorrt_gpu.py"],
    "profiles and quantization": ["tests/nvidia/test_profile_gpu.py", "tests/nvidia/test_int8_qdq.py"],
}


def main() -> None:
    """Run all families side by side and write what they say into one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=400, help="time limit of one family")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(FAMILIES)) as pool:
        suites = list(pool.map(lambda name: suite(name, Path(folder), options.seconds), FAMILIES))
    root = ElementTree.Element("testsuites", name="GPU tests")
    properties = ElementTree.SubElement(root, "properties")
    facts = {"command": f"python benchmarks/gpu_tests.py --out {options.out.name}", **machine()}
    for name, value in facts.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    root.extend(suites)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(options.out, encoding="unicode")
    for each in suites:
        print(
            "{name:28} {tests:>4} tests, {failures} failures, {errors} errors, {skipped} skipped".format(**each.attrib)
        )


def suite(name: str, folder: Path, seconds: float) -> ElementTree.Element:
    """Run one family; its test suite, without the name of this machine."""
    report, log = folder / f"{name}.xml", folder / f"{name}.log"
    own = {"OPTIBENCH_HOME": str(folder / f"{name}-home"), "OPTIBENCH_LOCKS": str(folder / f"{name}-locks")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", f"--junitxml={report}"]
    began = time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, *FAMILIES[name]], cwd=ROOT, env={**os.environ, **own}, stdout=file, stderr=file
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if report.exists():
        found = ElementTree.parse(report).getroot().find("testsuite")
        assert found is not None
    else:
        found = ElementTree.Element("testsuite", tests="0", failures="0", errors="1", skipped="0")
        case = ElementTree.SubElement(
            found, "testcase", name="the whole family", time=f"{time.monotonic() - began:.1f}"
        )
        error = ElementTree.SubElement(case, "error", message=f"It died with exit code {process.returncode}.")
        error.text = log.read_text(errors="replace")[-2000:]
    for each in found.iter():
        each.text = (each.text or "").replace(f"{ROOT}/", "").strip() or None
    found.attrib.pop("hostname", None)
    found.set("name", name)
    return found


if __name__ == "__main__":
    main()
