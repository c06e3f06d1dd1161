"""Turns values into screens and JSON. Nothing else formats."""

from pdfbatch.views.events import delivered_screen, events_command, left_lines
from pdfbatch.views.export import export_screen, exporting
from pdfbatch.views.failures import failure_line, failures_command, failures_json, failures_screen, hopeless_screen
from pdfbatch.views.report import report_facts, report_screen
from pdfbatch.views.run import Progress, closing, live, plain_line, verdict_screen
from pdfbatch.views.runs import runs_screen
from pdfbatch.views.status import status_screen
from pdfbatch.views.watch import watch
from pdfbatch.views.words import (
    as_json,
    clock,
    duration,
    error_json,
    error_text,
    money,
    plural,
    readers,
    some,
    spared,
    tally,
)

__all__ = [
    "Progress",
    "as_json",
    "clock",
    "closing",
    "delivered_screen",
    "duration",
    "error_json",
    "error_text",
    "events_command",
    "export_screen",
    "exporting",
    "failure_line",
    "failures_command",
    "failures_json",
    "failures_screen",
    "hopeless_screen",
    "left_lines",
    "live",
    "money",
    "plain_line",
    "plural",
    "readers",
    "report_facts",
    "report_screen",
    "runs_screen",
    "some",
    "spared",
    "status_screen",
    "tally",
    "verdict_screen",
    "watch",
]
