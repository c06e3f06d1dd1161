"""The screens of `schedule`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.fleet.names import Names
from pdfbatch.views.words import money, plural, to_copy
from pdfbatch.visible import visible

if TYPE_CHECKING:
    from pdfbatch.fleet.schedules.scheduling import Schedule, Schedules
    from pdfbatch.fleet.values import Plan

_SERVICES = {"batch": "AWS Batch", "sagemaker": "SageMaker"}


def schedule_question(name: str, expression: str, plan: Plan) -> str:
    """Asks for the schedule, in one line."""
    cap = f", at most {money(plan.worst_cost)} each time" if plan.worst_cost else ""
    return f"Create the schedule {name}, {expression}: {plural(plan.workers, 'instance')}{cap}?"


def scheduled_screen(made: Schedule, stack: str) -> RenderableType:
    lines = [
        Text.assemble(("SCHEDULED  ", "bold green"), f"{made.name}  {made.expression} {made.timezone}"),
        Text(f"Each time a job of {_SERVICES[made.way]} converts what is new or changed in {visible(made.input)}."),
        Text("The image and the options stay as they are now; run the same command again to change them."),
        to_copy("delete:", f"pdfbatch schedule delete {made.name}{Names(stack).option}"),
        to_copy("next:", f"pdfbatch status {shlex.quote(made.output)}"),
    ]
    return Group(*lines)


def schedules_screen(found: Schedules) -> RenderableType:
    """Shows two lines for each schedule."""
    if not found.schedules:
        return Text("No schedules. `pdfbatch schedule INPUT OUTPUT --cron '0 3 * * ? *'` makes one.")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("name", "when", "time zone", "on", "state"):
        table.add_column(column, no_wrap=True)
    for each in found.schedules:
        table.add_row(each.name, each.expression, each.timezone, each.way, each.state.lower())
    places = [
        Text(f"{each.name}: {visible(each.input)} → {visible(each.output)}", overflow="fold")
        for each in found.schedules
    ]
    return Group(table, *places)


def deleted_screen(gone: Schedule) -> RenderableType:
    return Text(f"Deleted the schedule {gone.name}. A job that runs goes on; the Markdown stays.")
