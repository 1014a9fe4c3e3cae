"""What all batch sizes of one measuring worker share: threads, the GPU, the data, opening sessions."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from engine.artifact import Artifact, read_manifest
from engine.data.prepared import Prepared, load
from engine.errors import BadInput, PhaseFailed, Unsupported
from engine.measure import cores, reference_file
from engine.measure.environment import environment
from engine.measure.imports import import_clock
from engine.measure.inputs import verification_calls
from engine.measure.nvml import Gpu
from engine.measure.opening import open_session, runtime_for
from engine.measure.sequence import Feeds
from engine.runtimes.base import Runtime, Session
from engine.spec import ModelSpec
from engine.worker.jobs import MeasureJob
from engine.worker.protocol import Reporter

ANY_BATCH = 0


@dataclass
class Bench:
    """One measuring worker; `import_s` adds up what importing libraries took."""

    job: MeasureJob
    report: Reporter
    spec: ModelSpec
    gpu: Gpu
    threads: int
    pinned: list[int]
    used_before: int | None
    other_processes: int | None
    data: Prepared | None
    import_s: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    def artifact(self, batch_size: int) -> Artifact:
        """The artifact for one batch size; one under 0 serves any. Raises Unsupported without one."""
        folder = self.job.artifacts.get(batch_size) or self.job.artifacts.get(ANY_BATCH)
        if not folder:
            raise Unsupported(f"Nothing was built for batch size {batch_size}.", "Add this batch size to the workload.")
        return read_manifest(Path(folder))

    def runtime(self, artifact: Artifact) -> Runtime:
        """The job's runtime, checked against this artifact and machine."""
        return runtime_for(self.job.runtime, artifact, self.spec, self.job.workload.device)

    def open(self, artifact: Artifact, batch_size: int) -> tuple[Session, float]:
        """A session, and the seconds of loading it without those of importing libraries."""
        runtime = self.runtime(artifact)
        began = perf_counter()
        with import_clock() as imported:
            session = open_session(
                runtime,
                artifact,
                self.spec,
                self.job.workload,
                batch_size=batch_size,
                threads=self.threads,
                folder=self.report.folder,
                cache=Path(self.job.cache) if self.job.cache else self.report.folder / "cache",
            )
        self.import_s += imported.seconds
        return session, perf_counter() - began - imported.seconds

    def feeds(self, batch_size: int) -> Feeds:
        """The inputs to time with: the reference's first call, or seeded random ones, which is noted."""
        if self.job.reference:
            facts = reference_file.read_facts(Path(self.job.reference))
            if str(batch_size) in facts["batches"]:
                return reference_file.read_batch(Path(self.job.reference), self.spec, batch_size)[0][0]
        self.notes["timed_on"] = "random inputs"
        return verification_calls(self.spec, batch_size, 1, self.job.workload.seed, None)[0]

    def environment(self, libraries: dict[str, str]) -> dict[str, Any]:
        """Where this process runs, as kept with every measurement."""
        device = self.job.workload.device
        found = environment(self.gpu, device, libraries, threads=self.threads, pinned_cpus=self.pinned)
        if "gpu" in found:
            found["gpu"]["processes"] = self.other_processes
        return found

    def stop_if_cancelled(self) -> None:
        """Raise PhaseFailed when the user asked to stop."""
        if self.report.cancelled():
            raise PhaseFailed("cancelled", "Cancelled.", "Retry it from the Runs page.")


def set_up(job: MeasureJob, report: Reporter) -> Bench:
    """Bound the threads before any library is loaded, pin them on a CPU, and look at the GPU."""
    threads = cores.threads_for(job.workload.threads)
    for name, value in cores.thread_environment(threads).items():
        os.environ.setdefault(name, value)
    gpu = Gpu(job.workload.device)
    notes: dict[str, Any] = {}
    data = None
    if job.prepared and "accuracy" in job.extras:
        try:
            data = load(job.prepared).split("test")
        except BadInput as error:
            notes["accuracy_reason"] = str(error)
    return Bench(
        job=job,
        report=report,
        spec=job.spec.with_shapes(job.workload.shapes),
        gpu=gpu,
        threads=threads,
        pinned=cores.pin(threads) if job.workload.device == "cpu" else [],
        used_before=gpu.memory_used(),
        other_processes=gpu.process_count(),
        data=data,
        notes=notes,
    )
