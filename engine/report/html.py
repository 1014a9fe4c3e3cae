"""One self-contained page to hand to people: headline, charts, every status and reason, how it was measured."""

from __future__ import annotations

import json
from html import escape

import pandas as pd
from plotly.offline import get_plotlyjs
from plotly.utils import PlotlyJSONEncoder

from engine import __version__
from engine.analysis import numbers
from engine.analysis.headline import Card, cards, headline
from engine.analysis.speedup import compared
from engine.analysis.suspects import suspects
from engine.document import ComparisonDocument
from engine.frames import at_batch, batch_sizes, latencies, machine, sort, sweep
from engine.metrics import LATENCIES, LATENCY_HELP, side_by_side, title_of
from engine.plots import bar_chart, foremost, in_words, left_out, sweep_in_words, throughput_chart, tradeoff_chart
from engine.report.method import METHOD, environment_facts, measured_how, workload_facts
from engine.report.sections import facts_list, tag, variant_section
from engine.report.style import CSS, SCHEMES, SCRIPT
from engine.report.table import results_table

TITLE, SUFFIX, MIME = "HTML report", ".html", "text/html"

Figures = dict[str, dict[str, object]]


def render(document: ComparisonDocument, latency: str = "") -> str:
    """The page; charts follow the reader's light or dark setting, and print light."""
    measured = latencies(document)
    kind = latency or (measured[0] if measured else "resident")
    frame = compared(document, kind)
    figures: Figures = {}
    body = [opening(document, frame, kind)]
    first = first_batch(document, frame)
    basis = measured_how(document, kind)
    body += [
        batch_section(frame, each, kind, figures, again=each != first, basis=basis) for each in batch_sizes(document)
    ]
    body += [sweep_section(document, figures), table_section(document), variants_section(document)]
    body += [conditions(document)]
    data = json.dumps(figures, separators=(",", ":"), cls=PlotlyJSONEncoder).replace("<", "\\u003c")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(document.name)} · Optibench</title><style>{CSS}</style></head><body><main>"
        + "".join(body)
        + f"<footer>Made with Optibench {escape(__version__)}, schema {escape(document.schema)}.</footer></main>"
        f"<script>{get_plotlyjs()}</script>"
        f'<script type="application/json" id="figures">{data}</script><script>{SCRIPT}</script></body></html>'
    )


def opening(document: ComparisonDocument, frame: pd.DataFrame, kind: str) -> str:
    """Name, what was compared where, and the headline of the smallest batch size that was measured."""
    model = document.model
    first = first_batch(document, frame)
    date = (document.finished or document.created)[:10]
    tags = [
        f"{document.origin.capitalize()} {date}".strip(),
        machine(document),
        f"{model.name}: {numbers.count(model.parameters)} parameters, {numbers.size(model.size_bytes)}",
        f"{len(document.variants)} variants",
    ]
    return (
        f"<h1>{escape(document.name)}</h1><div>{''.join(map(tag, tags))}</div>"
        f'<p class="lead">{escape(headline(at_batch(frame, first)))}'
        f' <span class="muted">{LATENCIES[kind]} latency, batch {first}.</span></p>'
    )


def first_batch(document: ComparisonDocument, frame: pd.DataFrame) -> int:
    """The smallest batch size that was measured."""
    measured = frame[frame["latency_ms"].notna()]
    return int(measured["batch_size"].min()) if len(measured) else document.workload.batch_sizes[0]


def batch_section(frame: pd.DataFrame, batch_size: int, kind: str, figures: Figures, *, again: bool, basis: str) -> str:
    """Cards, the four charts and the trade-off at one batch size; `again` adds its own headline."""
    rows = sort(at_batch(frame, batch_size))
    drawn, places = foremost(rows), []
    for metric in side_by_side(rows):
        title = title_of(rows, metric)
        name = f"{metric}-{batch_size}"
        figures[name] = {each: bar_chart(drawn, metric, theme=each, title=title).to_plotly_json() for each in SCHEMES}
        places.append(place(name, in_words(drawn, metric, title)))
    doubtful = "".join(
        f"<li><b>{escape(label)}</b> never wins. {escape(reason)}</li>" for label, reason in suspects(rows)
    )
    warning = (
        f'<div class="warning"><b>⚠ Suspect: outputs differ too much</b><ul>{doubtful}</ul></div>' if doubtful else ""
    )
    said = f'<p class="muted">{escape(headline(rows))}</p>' if again else ""
    opened = f"<h2>Batch {batch_size}</h2>{said}{warning}"
    if not rows["latency_ms"].notna().any():
        return f"{opened}<p>Nothing could be measured at this batch size; the table says why.</p>"
    against = "accuracy" if rows["accuracy"].notna().any() else "file_bytes"
    name = f"tradeoff-{batch_size}"
    figures[name] = {each: tradeoff_chart(rows, against, theme=each).to_plotly_json() for each in SCHEMES}
    said_twice = f"{in_words(rows, 'latency_ms')} {in_words(rows, against)}"
    return (
        f'{opened}<div class="cards">{"".join(map(card_box, cards(rows)))}</div>'
        f'<div class="charts">{"".join(places)}</div>'
        f'<p class="muted">{escape(f"{basis} {left_out(rows, drawn)}".strip())}</p>'
        f'<section class="whole"><h3>Trade-off at batch {batch_size}</h3>{place(name, said_twice)}'
        f'<p class="muted">{LATENCIES[kind]} latency. {LATENCY_HELP[kind]} '
        "The dotted line is the Pareto front: nothing is better at both.</p></section>"
    )


def place(name: str, words: str) -> str:
    """Where a chart is drawn, and what it shows in words."""
    return f'<div class="chart" id="{escape(name)}" role="img" aria-label="{escape(words)}"></div>'


def card_box(card: Card) -> str:
    """One card."""
    note = f'<div class="muted">{escape(card.note)}</div>' if card.note else ""
    return (
        f'<div class="card"><div class="kind">{escape(card.title)}</div><div class="figure">{escape(card.figure)}</div>'
        f'<div class="name">{escape(card.label)}</div><div>{escape(card.compared)}</div>{note}</div>'
    )


def sweep_section(document: ComparisonDocument, figures: Figures) -> str:
    """Throughput over batch sizes, where a sweep was made."""
    points = sweep(document)
    if points.empty or points["batch_size"].nunique() < 2:
        return ""
    figures["sweep"] = {each: throughput_chart(points, theme=each).to_plotly_json() for each in SCHEMES}
    drawn = place("sweep", sweep_in_words(points))
    return f'<section class="whole"><h2>Throughput over batch sizes</h2>{drawn}</section>'


def table_section(document: ComparisonDocument) -> str:
    """Every variant at every batch size with its status and reason."""
    kinds = latencies(document) or ["resident"]
    return "<h2>All results</h2>" + results_table({each: compared(document, each) for each in kinds})


def variants_section(document: ComparisonDocument) -> str:
    """Recipe, route, build steps, advice and command of each variant."""
    return "<h2>Variants</h2>" + "".join(variant_section(each) for each in document.variants)


def conditions(document: ComparisonDocument) -> str:
    """Workload, environment, method, and the command that repeats it all."""
    method = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in METHOD)
    command = f"<h2>Repeat it</h2><pre>{escape(document.command)}</pre>" if document.command else ""
    return (
        f'<div class="columns"><section><h2>Workload</h2>{facts_list(workload_facts(document))}</section>'
        f"<section><h2>Environment</h2>{facts_list(environment_facts(document.environment))}</section></div>"
        f'<h2>How it was measured</h2><dl class="facts">{method}</dl>{command}'
    )
