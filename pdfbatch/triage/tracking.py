"""A training as a run of MLflow: its parameters, numbers, curve and files."""

from __future__ import annotations

from pdfbatch import __version__
from pdfbatch.records import SIGNALS_VERSION, TriageReport
from pdfbatch.triage.files import FILE_NAME, as_file
from pdfbatch.triage.picture import curve_svg
from pdfbatch.triage.registry import Registry, Tracked
from pdfbatch.triage.training import Trained


def track(registry: Registry, trained: Trained, experiment: str, name: str, alias: str) -> Tracked:
    """Records a training and registers its triage."""
    report = trained.report
    files = {
        FILE_NAME: as_file(trained.model),
        "report.json": (report.model_dump_json(indent=1) + "\n").encode(),
        **{
            f"curve-{policy}.svg": curve_svg(found, f"{policy}: quality on held-out documents").encode()
            for policy, found in report.policies.items()
        },
    }
    params = {
        "cheap": trained.model.cheap,
        "reference": trained.model.reference,
        "pages": report.pages,
        "documents": report.documents,
        "held_out_pages": report.held_out_pages,
        "held_out_documents": report.held_out_documents,
        "signals_version": SIGNALS_VERSION,
        "pdfbatch": __version__,
    }
    run = registry.track(experiment, params, metrics_of(report), files)
    for policy, found in report.policies.items():
        registry.log_curve(
            run, f"{policy}.quality_at_percent", {round(point.share * 100): point.triage for point in found.curve}
        )
    return registry.register(run, name, alias, {"signals_version": str(SIGNALS_VERSION), "pdfbatch": __version__})


def metrics_of(report: TriageReport) -> dict[str, float]:
    """Returns the numbers of a report by their names in MLflow."""
    found = {"error": report.error}
    for policy, one in report.policies.items():
        found |= {
            f"{policy}.share": one.chosen.share,
            f"{policy}.quality": one.chosen.quality,
            f"{policy}.rule_share": one.rule.share,
            f"{policy}.rule_quality": one.rule.quality,
            f"{policy}.share_for_rule_quality": one.share_for_rule_quality,
            f"{policy}.quality_without_model": one.none,
            f"{policy}.threshold": one.threshold,
        }
    return found
