"""`triage train` and `triage score`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pdfbatch import views
from pdfbatch.cli.console import now, say, show, stderr
from pdfbatch.cli.options import Json
from pdfbatch.cli.panels import Commands
from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.records import PageSet, Policy, page_list
from pdfbatch.views import triage as screens

if TYPE_CHECKING:
    from pdfbatch.triage.pairs import Pairs
    from pdfbatch.triage.registry import Tracked
    from pdfbatch.triage.training import Trained

Below = Annotated[
    float,
    typer.Option("--below", min=0, max=1, metavar="SCORE", help="The rule to compare with, as in --fallback-below."),
]


def train(
    cheap: Annotated[str, typer.Argument(metavar="CHEAP", help="An output that --engine cpu or auto wrote.")],
    reference: Annotated[
        str, typer.Argument(metavar="MODEL", help="One of the same input, by --engine dolphin or endpoint.")
    ],
    save: Annotated[str, typer.Option("--save", metavar="FILE", help="Write the triage to this file.")] = "",
    tracking: Annotated[
        str,
        typer.Option(
            "--tracking",
            metavar="URI",
            envvar="MLFLOW_TRACKING_URI",
            show_envvar=False,
            help="Track the training in MLflow, and register the triage: http(s)://HOST:PORT, or sqlite:////FILE.",
            show_default="MLFLOW_TRACKING_URI",
        ),
    ] = "",
    experiment: Annotated[
        str, typer.Option("--experiment", metavar="NAME", help="The experiment in MLflow.")
    ] = "pdfbatch-triage",
    registered_model: Annotated[
        str,
        typer.Option("--registered-model", metavar="NAME", help="Its name there; each training adds a version."),
    ] = "pdfbatch-triage",
    alias: Annotated[
        str,
        typer.Option(
            "--alias",
            metavar="ALIAS",
            help="Give the new version this alias, such as champion: runs that start from now on use it.",
            show_default="none",
        ),
    ] = "",
    share: Annotated[
        float | None,
        typer.Option("--share", min=0, max=1, metavar="SHARE", help="Choose the threshold for this share of pages."),
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(
            "--quality",
            min=0,
            max=1,
            metavar="QUALITY",
            help="Choose it for this quality.",
            show_default="that of the rule, with fewer pages",
        ),
    ] = None,
    below: Below = 0.9,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Decides which documents are held out.")] = 0,
    curve: Annotated[str, typer.Option("--curve", metavar="FILE", help="Draw the curve into this SVG file.")] = "",
    json: Json = False,
) -> None:
    """Train a small model that says which pages need the large one, on pages that were read both ways.

    It learns from 7 of 10 documents, and is measured on the others, against the rule that it replaces.
    """
    from pdfbatch.triage.extra import check_training
    from pdfbatch.triage.registry import Registry, checked_address
    from pdfbatch.triage.training import Goal
    from pdfbatch.triage.training import train as train_triage

    if share is not None and quality is not None:
        raise UsageError("--share and --quality both choose the threshold.", "Leave out one of them.")
    if alias and not tracking:
        raise UsageError("--alias names a version in MLflow.", "Add --tracking URI, or set MLFLOW_TRACKING_URI.")
    check_training()
    registry = Registry(checked_address(tracking)) if tracking else None
    pairs = _pairs(cheap, reference)
    trained = train_triage(pairs, Goal(share, quality, below), seed, now(), cheap, reference)
    if save:
        _write(save, _file_of(trained))
    if curve:
        _write(curve, _curve_of(trained))
    tracked = _track(registry, trained, experiment, registered_model, alias) if registry else None
    named = save or (f"models:/{registered_model}@{alias}" if alias else tracked.name if tracked else "")
    show(
        screens.train_json(trained.report, tracked, save)
        if json
        else screens.train_screen(trained.report, tracked, save, named)
    )
    if share is None and quality is None:
        goals = ", ".join(f"{one.rule.quality:.1%} for {policy}" for policy, one in trained.report.policies.items())
        say(f"the thresholds aim at the quality of the rules ({goals}); more is possible with --quality or --share")
    if not named:
        say("the triage was not kept: add --save FILE, or --tracking URI for MLflow")


def score(
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="An output that --engine cpu or auto wrote.")],
    triage: Annotated[
        str, typer.Option("--triage", metavar="MODEL|FILE", help="models:/NAME@ALIAS in MLflow, or a file.")
    ] = "",
    policy: Annotated[
        Policy,
        typer.Option("--for", help="Whose decision: that of --fallback, or that of --engine auto, made before OCR."),
    ] = "fallback",
    against: Annotated[
        str,
        typer.Option("--against", metavar="MODEL", help="Measure it too, on an output of the same input by the model."),
    ] = "",
    below: Below = 0.9,
    save: Annotated[
        str,
        typer.Option("--save", metavar="FILE", help="Write the pages for the model as a list for `retry-failures`."),
    ] = "",
    json: Json = False,
) -> None:
    """Show which pages of an output would go to the model, and why; with --against also how right that is."""
    from pdfbatch.store import open_store
    from pdfbatch.triage.extra import check_comparing
    from pdfbatch.triage.pairs import signalled_pages
    from pdfbatch.triage.registry import resolve
    from pdfbatch.triage.scoring import compared, scored

    if not triage:
        raise UsageError("--triage is missing.", "Name a file of `pdfbatch triage train`, or models:/NAME@ALIAS.")
    if against:
        check_comparing()
    frozen = resolve(triage, os.environ)
    found, chosen = scored(frozen, signalled_pages(open_store(output)), policy, below)
    if not found.pages:
        raise PdfbatchError(
            f"No page of {output} has signals for a triage.",
            "Convert the input with this version and --engine cpu or auto; pages that the model read have none.",
        )
    if against:
        report = compared(frozen, _pairs(output, against), below)
        found = found.model_copy(update={"report": report})
    if save:
        pages = {key: str(PageSet.read(",".join(map(str, sorted(numbers))))) for key, numbers in chosen.items()}
        _write(save, page_list(pages, f"pages for the model, by {frozen.name}"))
    show(views.as_json(found) if json else screens.score_screen(found))
    if save and not json:
        say(f"next: pdfbatch retry-failures {shlex.quote(output)} --pages {shlex.quote(save)} --engine dolphin")


def _pairs(cheap: str, reference: str) -> Pairs:
    from pdfbatch.store import open_store
    from pdfbatch.triage.pairs import read_pairs

    with screens.comparing(stderr) as tell:
        return read_pairs(open_store(cheap), open_store(reference), tell)


def _file_of(trained: Trained) -> str:
    from pdfbatch.triage.files import as_file

    return as_file(trained.model).decode()


def _curve_of(trained: Trained) -> str:
    from pdfbatch.triage.picture import curve_svg

    return curve_svg(trained.report.policies["fallback"], "Quality on held-out documents")


def _track(registry: object, trained: Trained, experiment: str, name: str, alias: str) -> Tracked:
    from pdfbatch.triage.registry import Registry
    from pdfbatch.triage.tracking import track

    assert isinstance(registry, Registry)
    return track(registry, trained, experiment, name, alias)


def _write(path: str, text: str) -> None:
    try:
        Path(path).expanduser().write_text(text, "utf-8")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PdfbatchError(f"{path} cannot be written: {reason}.", "Name another file.") from None


triage = Commands("Train what decides which pages need the model, and try it.", {"train": train, "score": score})
