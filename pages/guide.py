"""The words of the product, and how to read its figures."""

import streamlit as st

from engine.plots.colours import STATUSES
from engine.report.method import METHOD
from pages import ui

WORDS = {
    "Format": "What a model file is: a PyTorch module, TorchScript, an exported program, ONNX, a TensorRT engine.",
    "Step": "Turns a model of one format into another (a conversion), or makes it smaller (a compression).",
    "Runtime": "Opens a model and runs it: PyTorch eager, TorchScript, ONNX Runtime, TensorRT, LibTorch in C++.",
    "Recipe": "Steps in order, then one runtime, such as half > onnx > tensorrt.",
    "Variant": "A recipe applied to a model.",
    "Workload": "What every variant is asked to do: device, batch sizes, data set, rounds.",
    "Comparison": "One model, one workload, many variants.",
    "Baseline": "The original, run as it is in FP32; everything is compared with it.",
}
MEANING = {
    "queued": "Waits for its turn.",
    "running": "Is being built or measured.",
    "ok": "Ran, and its outputs are the original's within what its precision allows.",
    "suspect": "Ran, but its outputs differ too much. Its figures are shown and it never wins.",
    "unsupported": "Nothing is broken: this combination does not exist here. The reason says what is missing.",
    "failed": "A step or the runtime gave up. The reason and the log say where.",
    "oom": "Memory ran out.",
    "timeout": "It took longer than the time limit of a phase.",
    "crashed": "Its process died. Other variants are not touched by that.",
    "cancelled": "Someone cancelled it. It can be retried.",
}

ui.begin()
st.title("Guide")
st.header("In three clicks")
st.markdown(
    "1. **Start**: try a sample, or upload a model.\n"
    "2. **Optimize**: keep the preset, or add variants.\n"
    "3. **Run**: charts draw what is finished while the rest is measured.\n\n"
    "**Demo** then runs one input (a sample, your image or text) through two variants side by side, live."
)
st.header("Words")
for word, text in WORDS.items():
    st.markdown(f"**{word}.** {text}")
st.header("Statuses")
for name, text in MEANING.items():
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(STATUSES[name].word, icon=STATUSES[name].icon, color=STATUSES[name].badge)
        st.markdown(text)
st.header("How it is measured")
for name, text in METHOD:
    st.markdown(f"**{name}.** {text}")
st.header("How to give a model")
st.markdown(
    "- **TorchScript**: `torch.jit.trace(model, example).save('model.pt')`, "
    "or `torch.jit.script(model).save('model.pt')`\n"
    "- **ONNX**: `torch.onnx.export(model, (example,), 'model.onnx')`, zipped with its external data when it has some\n"
    "- **Exported program**: `torch.export.save(torch.export.export(model, (example,)), 'model.pt2')`\n"
    "- **Weights**: `torch.save(model.state_dict(), 'weights.pt')` or safetensors, "
    "with an architecture from the catalog\n\n"
    "A whole model pickled with `torch.save(model)` is refused: opening it can run code."
)
