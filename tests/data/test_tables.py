from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

from engine.data.prepared import glance
from engine.errors import BadInput
from engine.spec import ModelSpec, Preprocessing, TensorSpec
from tests.data.conftest import Prepare, image_model

FEATURES = ModelSpec(
    name="table",
    format="onnx",
    inputs=(TensorSpec("features", "float32", ("batch", 2)),),
    outputs=(TensorSpec("scores", "float32", ("batch", 2)),),
    task="classification",
)


@pytest.fixture
def frame() -> pandas.DataFrame:
    return pandas.DataFrame({"a": np.arange(20.0), "b": np.arange(20), "label": ["no", "yes"] * 10})


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_numeric_columns_are_features(
    tmp_path: Path, frame: pandas.DataFrame, prepare_with: Prepare, suffix: str
) -> None:
    path = tmp_path / f"set{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    found = prepare_with(FEATURES, path)
    assert found.feeds["features"][3].tolist() == [3.0, 3.0]
    assert found.labels is not None
    assert found.labels[:2].tolist() == [0, 1]


def test_split_column(tmp_path: Path, frame: pandas.DataFrame, prepare_with: Prepare) -> None:
    frame["split"] = ["train"] * 15 + ["test"] * 5
    frame.to_csv(tmp_path / "set.csv", index=False)
    assert prepare_with(FEATURES, tmp_path / "set.csv").splits["test"].tolist() == [15, 16, 17, 18, 19]


def test_missing_label_column_names_the_candidates(
    tmp_path: Path, frame: pandas.DataFrame, prepare_with: Prepare
) -> None:
    frame.to_csv(tmp_path / "set.csv", index=False)
    with pytest.raises(BadInput) as caught:
        prepare_with(FEATURES, tmp_path / "set.csv", label="class")
    assert "a, b, label" in caught.value.hint


def test_text_goes_through_the_tokenizer(tmp_path: Path, prepare_with: Prepare) -> None:
    model = tmp_path / "text"
    model.mkdir()
    (model / "tokenizer.json").write_text(word_tokenizer())
    (tmp_path / "set.tsv").write_text("".join(f'{n % 2}\tgood film, "never dull\n' for n in range(12)))
    found = prepare_with(token_model(), tmp_path / "set.tsv", model=model)
    assert found.feeds["input_ids"].shape == (12, 6)
    assert found.feeds["attention_mask"][0].tolist() == [1, 1, 1, 1, 0, 0]
    assert glance(tmp_path / "prepared").texts == ('good film, "never dull',) * 12
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1] * 6


def test_text_without_a_tokenizer(tmp_path: Path, prepare_with: Prepare) -> None:
    (tmp_path / "set.csv").write_text("text,label\ngood,1\n")
    plain = replace(token_model(), preprocessing=Preprocessing())
    with pytest.raises(BadInput, match="has no tokenizer"):
        prepare_with(plain, tmp_path / "set.csv")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"a,b,label\n", "no rows"),
        (b"a,b,label\n1,2,caf\xe9\n", "not UTF-8"),
        (b"a,b,c,label\n1,2,3,0\n", "3, and input"),
        (b"a,name,label\n1,x,0\n", "not numbers: name"),
        (b"a,b,label\n1,,0\n", "NaN"),
        (b"a,b,label\n1,2,\n3,4,1\n", "have no label"),
        (b"a,b,label\n1,2,7\n", "labels up to 7"),
        (b"label\n1\n", "no column but label"),
    ],
)
def test_bad_tables(tmp_path: Path, prepare_with: Prepare, content: bytes, reason: str) -> None:
    (tmp_path / "set.csv").write_bytes(content)
    with pytest.raises(BadInput, match=reason) as caught:
        prepare_with(FEATURES, tmp_path / "set.csv")
    assert caught.value.hint


def test_pixels_in_columns(tmp_path: Path, prepare_with: Prepare) -> None:
    table = pandas.DataFrame(np.full((3, 64), 255)).add_prefix("pixel")
    table.insert(0, "label", [0, 1, 2])
    table.to_csv(tmp_path / "set.csv", index=False)
    assert (prepare_with(image_model(), tmp_path / "set.csv").feeds["pixels"] == 1.0).all()


def test_embeddings_have_no_accuracy(tmp_path: Path, frame: pandas.DataFrame, prepare_with: Prepare) -> None:
    frame.to_csv(tmp_path / "set.csv", index=False)
    assert prepare_with(replace(FEATURES, task="embedding"), tmp_path / "set.csv").labels is None


def token_model() -> ModelSpec:
    tokens = TensorSpec("input_ids", "int64", ("batch", "length"), 0, 6)
    return ModelSpec(
        name="text",
        format="onnx",
        inputs=(tokens, replace(tokens, name="attention_mask"), replace(tokens, name="token_type_ids")),
        outputs=(TensorSpec("scores", "float32", ("batch", 2)),),
        task="classification",
        preprocessing=Preprocessing(tokenizer="tokenizer.json", max_length=6),
    )


def word_tokenizer() -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"[PAD]": 0, "[UNK]": 1, "good": 2, "film": 3, "never": 4, "dull": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(behavior="removed")]
    )
    return str(tokenizer.to_str())


def test_semicolons_may_separate_columns(tmp_path: Path, frame: pandas.DataFrame, prepare_with: Prepare) -> None:
    frame.to_csv(tmp_path / "set.csv", index=False, sep=";")
    assert prepare_with(FEATURES, tmp_path / "set.csv").labels is not None


def test_a_label_of_another_name_is_asked_for(tmp_path: Path, frame: pandas.DataFrame, prepare_with: Prepare) -> None:
    named = frame.rename(columns={"label": "species"})
    named["species"] = [0, 1] * 10
    named.to_csv(tmp_path / "set.csv", index=False)
    with pytest.raises(BadInput, match="none is known to be the label"):
        prepare_with(FEATURES, tmp_path / "set.csv")
