"""DataFrame → Plotly figure: pure functions, used by pages and reports alike."""

from engine.plots.bars import bar_chart
from engine.plots.curves import calls_chart, throughput_chart, training_chart
from engine.plots.foremost import foremost, left_out
from engine.plots.layers import layer_chart
from engine.plots.tradeoff import tradeoff_chart
from engine.plots.words import calls_in_words, in_words, layers_in_words, sweep_in_words

__all__ = [
    "bar_chart",
    "calls_chart",
    "calls_in_words",
    "foremost",
    "in_words",
    "layer_chart",
    "layers_in_words",
    "left_out",
    "sweep_in_words",
    "throughput_chart",
    "tradeoff_chart",
    "training_chart",
]
