"""The whole comparison with raw samples; another dashboard can import it."""

from __future__ import annotations

from engine.document import ComparisonDocument, dump

TITLE, SUFFIX, MIME = "JSON", ".json", "application/json"


def render(document: ComparisonDocument) -> str:
    """The document as JSON text."""
    return dump(document)
