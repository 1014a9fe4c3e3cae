"""DataFrame → Plotly figure: pure functions, used by pages and reports alike."""

from engine.plots.bars import bar_chart
from engine.plots.curves import calls_chart, throughput_chart, training_chart
from engine.plots.layers import layer_chart
from engine.plots.tradeoff import tradeoff_chart

__all__ = ["bar_chart", "calls_chart", "layer_chart", "throughput_chart", "tradeoff_chart", "training_chart"]
