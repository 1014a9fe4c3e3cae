"""Read CSV, TSV and Parquet: one row a sample, one column with the label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.data.arrays import LABELS, SPLIT_WORDS
from engine.data.raw import RawData
from engine.errors import BadInput

if TYPE_CHECKING:
    import pandas

LABEL_NAMES = (*LABELS, "class", "category", "sentiment", "outcome")
SPLIT_NAMES = ("split", "fold", "partition")
LONGEST_HEADER = 1 << 16


def read(path: Path, columns: dict[str, str]) -> RawData:
    """Read a table. `columns` may name the `label` and the `split` column.

    Without either name given, well-known names are looked for. Raises BadInput naming the
    columns there are.
    """
    frame = load(path)
    if frame.empty:
        raise BadInput(f"{path.name} has no rows.", "Give one row for each sample.")
    label = pick(path, frame, columns.get("label", ""), LABEL_NAMES) or sole_companion(frame)
    split = pick(path, frame, columns.get("split", ""), SPLIT_NAMES)
    labels = None if label is None else label_values(path, frame, label)
    own = None
    if split is not None:
        words = [str(each).strip().lower() for each in frame[split]]
        own = np.array([SPLIT_WORDS.get(each, each) for each in words])
    rest = [each for each in frame.columns if each not in (label, split)]
    if not rest:
        raise BadInput(f"{path.name} has no column but {label or split}.", "Add the columns that the model takes.")
    notes = () if label is not None else (f"No label column was recognised among {', '.join(rest)}.",)
    values = {name: frame[name].to_numpy(dtype=object if is_text(frame, name) else None) for name in rest}
    return RawData(path.stem, len(frame), columns=values, labels=labels, split=own, notes=notes)


def load(path: Path) -> pandas.DataFrame:
    """The table with text column names; raises BadInput when it can't be read."""
    import pandas

    try:
        frame = pandas.read_parquet(path) if path.suffix.lower() == ".parquet" else load_text(path)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from error
    except pandas.errors.EmptyDataError as error:
        raise BadInput(f"{path.name} is empty.", "Give a header line and one row for each sample.") from error
    except (ValueError, OSError, pandas.errors.ParserError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path.name} can't be read as a table: {first}.", "Save it as CSV, TSV or Parquet.") from error
    frame.columns = [str(each).strip() for each in frame.columns]
    if len(set(frame.columns)) != len(frame.columns):
        raise BadInput(f"{path.name} has two columns of the same name.", "Rename one of them.")
    return frame


def load_text(path: Path) -> pandas.DataFrame:
    """CSV or TSV; a first line with a number in it is data, and columns are then numbered."""
    import csv

    import pandas

    separator = "\t" if path.suffix.lower() in (".tsv", ".tab") else separator_of(path)
    options: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig"}
    if separator == "\t":
        options["quoting"] = csv.QUOTE_NONE
    frame = pandas.read_csv(path, **options)
    if any(is_number(each) for each in frame.columns):
        frame = pandas.read_csv(path, header=None, **options)
        frame.columns = [f"column{number}" for number in range(1, frame.shape[1] + 1)]
    return frame


def separator_of(path: Path) -> str:
    """What separates the names in the first line: a comma, unless there are more semicolons or tabs."""
    with path.open(encoding="utf-8-sig") as stream:
        line = stream.readline(LONGEST_HEADER)
    return max(",;\t", key=line.count)


def is_number(text: object) -> bool:
    """Whether a header cell is a number, which no header is."""
    try:
        float(str(text))
    except ValueError:
        return False
    return True


def pick(path: Path, frame: pandas.DataFrame, wanted: str, known: tuple[str, ...]) -> str | None:
    """The column that was asked for, else the first well-known one, else None."""
    if wanted:
        if wanted not in frame.columns:
            raise BadInput(f"{path.name} has no column {wanted!r}.", f"Its columns: {', '.join(frame.columns)}.")
        return wanted
    lower = {str(each).lower(): str(each) for each in frame.columns}
    return next((lower[each] for each in known if each in lower), None)


def sole_companion(frame: pandas.DataFrame) -> str | None:
    """In a table of one text column and one other of few distinct values, the other is the label."""
    texts = [each for each in frame.columns if is_text(frame, each)]
    others = [each for each in frame.columns if each not in texts]
    if len(texts) == 1 and len(others) == 1 and frame[others[0]].nunique() <= max(2, len(frame) // 2):
        return str(others[0])
    return None


def is_text(frame: pandas.DataFrame, name: str) -> bool:
    """Whether a column holds text."""
    import pandas

    kind = frame[name].dtype
    return bool(pandas.api.types.is_string_dtype(kind) or pandas.api.types.is_object_dtype(kind))


def label_values(path: Path, frame: pandas.DataFrame, label: str) -> np.ndarray:
    """The label column as numbers or names; raises BadInput on a missing value."""
    missing = int(frame[label].isna().sum())
    if missing:
        raise BadInput(f"{missing} rows of {path.name} have no {label}.", "Fill them in or remove these rows.")
    if is_text(frame, label):
        return np.array([str(each).strip() for each in frame[label]])
    return np.asarray(frame[label].to_numpy())
