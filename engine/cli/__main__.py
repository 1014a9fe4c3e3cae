"""`python -m engine.cli` is `optibench`."""

from __future__ import annotations

from engine.cli import main

main()
