"""The command line: the same engine as the dashboard, without needing it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engine.errors import BadInput, OptibenchError, PhaseFailed

FAILED, BAD_ARGUMENTS = 1, 2
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Architecture = Annotated[
    str, typer.Option(help="Architecture of bare weights, such as torchvision.resnet50; alone: settled random weights.")
]
Shape = Annotated[list[str] | None, typer.Option(help="NAME=1x3x224x224. Repeatable.")]
MODEL_HELP = "A model file, or sample:NAME."


class Sentences(TyperGroup):
    """Says what is wrong in one sentence and a next step; leaves with 2, or with 1 when a worker died of it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OptibenchError as error:
            typer.echo(f"Error: {error.reason}", err=True)
            if error.hint:
                typer.echo(error.hint, err=True)
            raise typer.Exit(FAILED if isinstance(error, PhaseFailed) else BAD_ARGUMENTS) from error


app = typer.Typer(
    cls=Sentences,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="See what every optimization of a trained model buys and costs, measured.",
)


@app.command()
def inspect(
    model: Annotated[Path | None, typer.Argument(help=MODEL_HELP)] = None,
    architecture: Architecture = "",
    shape: Shape = None,
    as_json: Json = False,
) -> None:
    """Say what a model file is: format, inputs, outputs, parameters, operators."""
    from engine.cli.models import inspected
    from engine.cli.show import show_model
    from engine.recipes import read_shapes
    from engine.spec import to_json

    spec = inspected(model, architecture, read_shapes(tuple(shape or ())))
    if as_json:
        typer.echo(json.dumps(to_json(spec), indent=1))
    else:
        show_model(spec)


@app.command()
def plugins(as_json: Json = False) -> None:
    """List formats, steps and runtimes with their options, and what is missing for them here."""
    from engine.cli.show import plugin_facts, show_plugins

    facts = plugin_facts()
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
    else:
        show_plugins(facts)


@app.command()
def compare(
    model: Annotated[Path | None, typer.Argument(help=MODEL_HELP)] = None,
    recipe: Annotated[
        list[str] | None, typer.Option(help="A recipe, such as 'trace > freeze > torchscript'. Repeatable.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="quick, full or recorded: how much is measured, and what, where no recipe is named.")
    ] = "",
    batch: Annotated[str, typer.Option(help="Batch sizes, such as 1,8.")] = "",
    device: Annotated[str, typer.Option(help="cpu or cuda; the GPU where there is one.")] = "",
    shape: Shape = None,
    values: Annotated[
        list[str] | None,
        typer.Option(help="What an input is drawn from, as NAME=LOW:HIGH, or a constant, as NAME=VALUE. Repeatable."),
    ] = None,
    architecture: Architecture = "",
    dataset: Annotated[str, typer.Option(help="A data set: a file, or sample:NAME.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where to write the comparison as JSON.")] = None,
    name: Annotated[str, typer.Option(help="What to call the comparison.")] = "",
    rounds: Annotated[int, typer.Option(help="Rounds, instead of the preset's.", min=0)] = 0,
    seconds: Annotated[float, typer.Option(help="Seconds for each latency in a round.", min=0.0)] = 0.0,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 for all physical cores.", min=0)] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds that one phase may take.", min=1.0)] = 900.0,
    seed: Annotated[int, typer.Option(help="Seed of random inputs and weights.")] = 0,
) -> None:
    """Measure variants of a model side by side.

    Leaves with 0 when every result is ok, suspect or unsupported, with 1 when one failed or was
    cancelled, and with 2 for bad arguments.
    """
    from engine.cli.arguments import Request
    from engine.cli.compare import run

    request = Request(
        model=model,
        recipes=tuple(recipe or ()),
        preset=preset,
        batch=batch,
        device=device,
        shapes=tuple(shape or ()),
        values=tuple(values or ()),
        architecture=architecture,
        dataset=dataset,
        out=out,
        name=name,
        rounds=rounds,
        seconds=seconds,
        threads=threads,
        timeout_s=timeout,
        seed=seed,
    )
    raise typer.Exit(run(request))


@app.command()
def report(
    file: Annotated[Path, typer.Argument(help="A comparison as JSON.")],
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    format: Annotated[str, typer.Option(help="Formats, separated by commas: html, csv, json.")] = "html",
) -> None:
    """Write a comparison as a report."""
    from engine import document
    from engine.cli.arguments import report_formats
    from engine.report import write

    comparison = document.read(file)
    for each in report_formats(format):
        typer.echo(str(write(comparison, each, out)))


@app.command()
def system(as_json: Json = False) -> None:
    """Say what this machine has: devices, libraries, runtimes and what is missing."""
    from engine.cli.models import probed
    from engine.cli.show import show_system

    facts = probed()
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
    else:
        show_system(facts)


@app.command(name="import")
def import_file(file: Annotated[Path, typer.Argument(help="A comparison as JSON.")]) -> None:
    """Keep a comparison that was measured elsewhere, for the dashboard."""
    from engine import document, settings
    from engine.store import open_store

    comparison = document.read(file)
    store = open_store(settings.load())
    typer.echo(store.import_document(comparison))
    store.close()


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="The port on localhost.", min=1, max=65535)] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Open the dashboard on localhost."""
    import importlib.util
    import os

    from engine import schedule, settings
    from engine.cli.arguments import free_port
    from engine.worker.launch import ROOT

    if importlib.util.find_spec("streamlit") is None:
        raise BadInput("The dashboard needs Streamlit, which is not installed.", "Run: pip install streamlit")
    free_port(port)
    schedule.ensure_running(settings.load())
    options = ["--server.address=localhost", f"--server.port={port}", f"--server.headless={str(not browser).lower()}"]
    print(f"Optibench: http://localhost:{port} (Ctrl-C stops the dashboard; what is running goes on)", flush=True)
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), *options])


def main() -> None:
    """The console script."""
    app()
