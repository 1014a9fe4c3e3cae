"""One file a phase; each has `run(job, report) -> dict`, the value its job documents."""
