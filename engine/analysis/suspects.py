"""What must not be trusted, to be said before anything is praised."""

from __future__ import annotations

import pandas as pd


def suspects(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Name and reason of every suspect variant; `rows` holds one batch size."""
    found = rows[rows["status"] == "suspect"]
    return [
        (str(row["label"]), f"{row['reason']} {row['hint']}".strip() or "Its outputs differ from the original's.")
        for _, row in found.iterrows()
    ]
