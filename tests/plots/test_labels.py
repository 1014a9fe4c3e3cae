"""Names in narrow charts are short and still told apart."""

from __future__ import annotations

from engine.plots.labels import NAME_LENGTH, fitting

PRUNED = "ONNX Runtime · Channel pruning (Ratio 0.5) · Fine-tuning (Epochs 10)"


def test_what_fits_stays() -> None:
    assert fitting(["PyTorch eager", "LibTorch (C++)"]) == ["PyTorch eager", "LibTorch (C++)"]


def test_long_names_keep_the_runtime_and_the_end() -> None:
    first, second = fitting([PRUNED, f"{PRUNED} · INT8, static (Q/DQ)"])
    assert len(first) == len(second) == NAME_LENGTH
    assert first.startswith("ONNX Runtime · …")
    assert first.endswith("Fine-tuning")
    assert second.endswith("INT8, static")


def test_options_stay_where_only_they_differ() -> None:
    names = [f"PyTorch eager · Magnitude pruning (Amount {amount})" for amount in (0.5, 0.9)]
    first, second = fitting(names)
    assert first.endswith("(Amount 0.5)")
    assert second.endswith("(Amount 0.9)")


def test_options_go_where_nothing_else_is_called_the_same() -> None:
    assert fitting(["ONNX Runtime · Distillation (Teacher sample:digits_teacher, Ratio 0.5)"]) == [
        "ONNX Runtime · Distillation"
    ]


def test_what_differs_in_the_middle_is_shown() -> None:
    first, second = fitting(
        [f"PyTorch eager · {way} pruning (Ratio 0.5) · Fine-tuning (Epochs 10)" for way in ("Channel", "Magnitude")]
    )
    assert first.startswith("PyTorch eager · Channel pruning")
    assert second.startswith("PyTorch eager · Magnitude pruning")
    assert max(len(first), len(second)) <= NAME_LENGTH


def test_what_most_names_share_is_left_out_first() -> None:
    names = [f"TensorRT · {way} · FP16 · CUDA graph · static" for way in ("Channel pruning", "2:4 sparsity", "FP8")]
    assert fitting(names) == [
        "TensorRT · Channel pruning · FP16 · …",
        "TensorRT · 2:4 sparsity · FP16 · …",
        "TensorRT · FP8 · FP16 · CUDA graph · …",
    ]
    assert len(fitting(names[:1], [20])[0]) <= 20
