"""Screens of plans, launches and what is in the account."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.fleet.userdata import LIMIT
from pdfbatch.fleet.values import Alternative, Launched, Plan, Range, Work, Zone
from pdfbatch.views.words import dotted, money, plural, skipped, to_copy

if TYPE_CHECKING:
    from pdfbatch.fleet.inventory import Inventory, RunThere
    from pdfbatch.fleet.logs import LogLine
    from pdfbatch.fleet.resources import Ended, Resources
    from pdfbatch.fleet.scale import Scaled

_MIB = 2**20
_KINDS = {
    "fleets": "fleet",
    "instances": "instance",
    "templates": "launch template",
    "queues": "queue",
    "jobs": "job",
    "definitions": "job definition",
}
"""The groups of `Resources`, as people call one of each."""


def plan_screen(plan: Plan, details: bool = False) -> RenderableType:
    """Shows what will be done, how long it takes and what it costs, in a dozen lines; with `details` also prices by
    zone, the AMI and the image."""
    work = plan.work
    lines: list[RenderableType] = [
        Text.assemble(("PLAN", "bold"), "  ", plan.input, " → ", plan.output, no_wrap=True, overflow="ignore"),
        Text(dotted(_documents(work), _pages(plan), f"account {plan.account.number}", plan.account.region)),
        Text(dotted(_workers(plan), f"engine {plan.engine}" + (f" ({plan.model})" if plan.model else ""))),
        Text(f"Time {_time(plan)}    Cost {_cost(plan)}    Hard cap {_cap(plan)}", style="bold"),
    ]
    if plan.alternative is not None:
        lines.append(Text(f"or {_alternative(plan.alternative, work)}"))
    lines.append(Text(_quota(plan)))
    lines += [Text.assemble(("note: ", "yellow"), note) for note in plan.notes]
    lines += [Text.assemble(("warning: ", "yellow"), warning) for warning in plan.warnings]
    if details:
        return Group(*lines, Text(), _details(plan), Text(), _zones(plan))
    return Group(*lines, Text("prices by zone, AMI, image: -v", style="dim"))


def _documents(work: Work) -> str:
    done = work.documents - work.left - work.hopeless
    of_all = f"{work.left:,} of " if work.left < work.documents else ""
    return ", ".join(
        part
        for part in (
            f"{of_all}{plural(work.documents, 'PDF')} to convert ({_size(work.bytes_left)})",
            f"{work.copies:,} of them with the content of another, not read again" if work.copies else "",
            skipped(done) if done else "",
            f"{work.hopeless:,} left out (would fail again; --all-failures)" if work.hopeless else "",
        )
        if part
    )


def _details(plan: Plan) -> Table:
    facts = _facts()
    facts.add_row("pace", Text(f"{_between(plan.pace.low, plan.pace.high)} pages/s per worker, {plan.pace.source}"))
    facts.add_row("price", Text(f"{_dollars(plan.price)} per instance-hour" + _extras(plan)))
    facts.add_row("hard cap", Text(_hard_cap(plan)))
    if plan.way == "spot":
        facts.add_row("AMI", Text(f"{plan.account.ami.id}, user-data {plan.user_data_bytes:,} of {LIMIT:,} bytes"))
    facts.add_row("image", Text(plan.account.image))
    return facts


def _extras(plan: Plan) -> str:
    return "; SageMaker has no Spot for processing" if plan.way == "sagemaker" else ", incl. EBS and IPv4"


def _facts() -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    return facts


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / _MIB:,.1f} MiB"


def _between(low: float, high: float) -> str:
    """Formats two numbers as a range, or as one where they are the same."""
    shown = [f"{number:.2f}" if number < 10 else f"{number:,.0f}" for number in (low, high)]
    return shown[0] if shown[0] == shown[1] else " to ".join(shown)


def _pages(plan: Plan) -> str:
    if plan.pages is None or plan.work.pages_each is None:
        return "number of pages unknown"
    mean = plan.work.pages_each * plan.work.left
    counted = f"counted in {plural(plan.work.sampled, 'document')}"
    if plan.pages.low == plan.pages.high:
        return f"{'' if plan.work.sampled == plan.work.left else 'about '}{mean:,.0f} pages, {counted}"
    return f"about {mean:,.0f} pages ({plan.pages.low:,.0f}–{plan.pages.high:,.0f}), {counted}"


def _workers(plan: Plan) -> str:
    kinds = " or ".join(
        kind + (f" ({gpu})" if (gpu := plan.account.gpus.get(kind)) else "") for kind in plan.instance_types
    )
    market = "Spot" if plan.market == "spot" else "on-demand"
    suggested = ""
    if plan.suggested_workers is not None and plan.suggested_workers != plan.workers:
        suggested = f" (suggested for this work: {plan.suggested_workers})"
    pool = f"; a pool: a queue hands out {plural(plan.blocks, 'block')}" if plan.blocks else ""
    how = {"spot": "one EC2 Fleet per worker", "batch": "one job of AWS Batch"}.get(plan.way, _processing_job(plan))
    return f"{plan.workers} × {kinds} {market}, {how}{suggested}{pool}"


def _processing_job(plan: Plan) -> str:
    network = ", without network" if plan.isolated else ""
    vpc = f", in {', '.join(plan.subnets)}" if plan.subnets else ""
    return f"one SageMaker Processing job{network}{vpc} (there is no Spot for processing)"


def _quota(plan: Plan) -> str:
    quota = plan.account.quota
    needed = (plan.at_once or plan.workers) * quota.of_one(max(plan.account.vcpus.values()))
    limit = "unknown number" if quota.limit is None else f"{quota.limit:,.0f}"
    unit = quota.unit.removesuffix("s") if needed == 1 else quota.unit
    return f"Quota: {needed} {unit} needed, {quota.used:,.0f} in use, {limit} allowed ({quota.code})"


def _zones(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("zone", no_wrap=True)
    for kind in plan.instance_types:
        table.add_column(f"{kind} $/h", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("subnet", no_wrap=True)
    for zone in plan.account.zones:
        table.add_row(
            zone.name or "any",
            *_zone_prices(zone, plan),
            "–" if zone.score is None else str(zone.score),
            zone.subnet or "–",
        )
    return table


def _zone_prices(zone: Zone, plan: Plan) -> list[str]:
    return [f"{zone.prices[kind]:.4f}" if kind in zone.prices else "–" for kind in plan.instance_types]


def _time(plan: Plan) -> str:
    if plan.hours is None:
        return "unknown"
    return _hours(plan.hours)


def _hours(hours: Range) -> str:
    """Formats minutes below two hours, else hours; one number where both ends are the same."""
    if hours.high < 2:
        shown, unit = [f"{end * 60:.0f}" for end in (hours.low, hours.high)], "min"
    else:
        shown, unit = [f"{end:.1f}" for end in (hours.low, hours.high)], "h"
    return f"{shown[0]} {unit}" if shown[0] == shown[1] else f"{shown[0]}–{shown[1]} {unit}"


def _cost(plan: Plan) -> str:
    if plan.cost is None:
        return "unknown"
    return _money_range(plan.cost)


def _money_range(dollars: Range) -> str:
    low, high = money(dollars.low), money(dollars.high)
    return low if low == high else f"{low}–{high.removeprefix('$')}"


def _cap(plan: Plan) -> str:
    total = money(plan.worst_cost) if plan.price_ceiling else "unknown"
    return f"{total} ({plan.max_hours:g} h)"


def _alternative(other: Alternative, work: Work) -> str:
    text = f"about {_money_range(other.cost)} with --engine {other.engine}"
    if other.engine == "auto":
        text += " (suggested)"
    sampled = f"{work.layers_healthy} of {work.layers_looked_at} sampled pages have a good text layer"
    return f"{text}; an estimate: {sampled}"


def _dollars(price: Range) -> str:
    low, high = f"${price.low:.3f}", f"${price.high:.3f}"
    return low if low == high else f"{low} to {high}"


def _hard_cap(plan: Plan) -> str:
    each = f" × ${plan.price_ceiling:.3f}" if plan.price_ceiling else " × unknown price"
    total = f"{money(plan.worst_cost)}: " if plan.price_ceiling else ""
    kind = "at most, the Spot price ceiling" if plan.max_prices else "the on-demand price"
    ceiling = f" ({kind})" if plan.price_ceiling else ""
    return (
        f"{total}{plural(plan.workers, 'instance')}{each}{ceiling} × {plan.max_hours:g} h; "
        f"AWS terminates them at {_moment(plan.expiry)}"
    )


def launch_question(plan: Plan) -> str:
    """Asks for the launch, in one line."""
    kind = "Spot" if plan.market == "spot" else "on-demand"
    cap = f", at most {money(plan.worst_cost)}" if plan.worst_cost else ""
    if plan.way == "batch":
        return f"Submit a job of {plural(plan.workers, 'worker')}{cap}?"
    if plan.way == "sagemaker":
        return f"Start a SageMaker job of {plural(plan.workers, f'{kind} instance')}{cap}?"
    return f"Launch {plural(plan.workers, f'{kind} instance')}{cap}?"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def launched_screen(launched: Launched) -> RenderableType:
    """Shows what was launched, and the next commands."""
    cap = f"at most {money(launched.worst_cost)}" if launched.worst_cost else ""
    output = shlex.quote(launched.output)
    lines = [
        Text.assemble(("LAUNCHED", "bold green"), f"  run {launched.run}"),
        Text(dotted(_requested(launched), cap, f"until {_moment(launched.expiry)}")),
        *(
            Text.assemble(("not launched ", "red"), f"worker {worker}: {why}")
            for worker, why in launched.missing.items()
        ),
        Text(f"You can close this terminal; the {'fleet' if launched.way == 'spot' else 'job'} keeps running."),
        to_copy("logs:", f"pdfbatch logs {output} --follow"),
        to_copy("stop:", f"pdfbatch down {output}"),
        to_copy("next:", f"pdfbatch status {output} --watch", "bold"),
    ]
    return Group(*lines)


def _requested(launched: Launched) -> str:
    count = len(launched.fleets)
    return f"{plural(count, 'instance')} requested" if launched.way == "spot" else f"a job of {plural(count, 'worker')}"


def remains_screen(remains: Resources) -> RenderableType:
    """Shows what `down` is about to delete."""
    return Text(f"{', '.join(remains.runs())}: {_counted(_counts_of(remains))}")


def _counts_of(there: Resources) -> dict[str, int]:
    return {kind: len(group) for kind, group in there._asdict().items()}


def _counted(counts: Mapping[str, int]) -> str:
    """Formats numbers of resources. Those of EC2 Fleets are named even where there is none, unless there are jobs."""
    is_jobs = bool(counts["jobs"] or counts["definitions"])
    always = () if is_jobs else ("fleets", "instances", "templates")
    named = [plural(counts[kind], name) for kind, name in _KINDS.items() if counts[kind] or kind in always]
    return ", ".join(named)


def down_question(remains: Resources) -> str:
    """Asks what `down` is about to do."""
    parts = [
        ("terminate", len(remains.billed()), "instance"),
        ("delete", len(remains.fleets), "fleet"),
        ("stop", len(remains.jobs), "job"),
    ]
    rest = [
        ("delete", len(remains.templates), "launch template"),
        ("delete", len(remains.queues), "queue"),
        ("delete", len(remains.definitions), "job definition"),
    ]
    said = [[f"{verb} {plural(count, what)}" for verb, count, what in group if count] for group in (parts, rest)]
    question = ", ".join(said[0] or said[1])
    return f"{question[0].upper()}{question[1:]}?"


def ended_screen(ended: Ended) -> RenderableType:
    if not ended.runs:
        return Text("Already down: nothing is running and nothing is left over.")
    return Text.assemble(
        ("Deleted: ", "bold"),
        f"{_counted({kind: getattr(ended, kind) for kind in _KINDS})} of {', '.join(ended.runs)}. "
        "Nothing is left running. The Markdown stays; launch again to resume.",
    )


def scale_question(more: int, dollars: float) -> str:
    """Asks what `scale` is about to do: `more` workers, or fewer if it is negative, at most for these dollars."""
    if more < 0:
        return f"Take {plural(-more, 'worker')} away?"
    return f"Add {plural(more, 'worker')}, for at most ${dollars:,.2f} more?"


def scaled_screen(scaled: Scaled) -> RenderableType:
    output = shlex.quote(scaled.output)
    added, removed = (", ".join(map(str, numbers)) for numbers in (scaled.added, scaled.removed))
    lines = [
        Text.assemble(("Workers: ", "bold"), ", ".join(map(str, scaled.workers))),
        *([Text(f"added: {added}")] if added else []),
        *(
            [Text(f"taken away: {removed}; they save their pages and give back their blocks, which takes minutes")]
            if removed
            else []
        ),
        *(Text.assemble(("not launched ", "red"), f"worker {worker}: {why}") for worker, why in scaled.missing.items()),
        to_copy("next:", f"pdfbatch status {output} --watch", "bold"),
    ]
    return Group(*lines)


def local_screen(run: str) -> RenderableType:
    return Text(
        f"Nothing to terminate: run {run} is local, it has no fleet. To stop it while it runs, press Ctrl-C in its "
        "terminal."
    )


def inventory_screen(inventory: Inventory) -> RenderableType:
    """Shows the table of `ls`, and how to delete what is left of a run."""
    if not inventory.runs:
        return Text(f"No pdfbatch runs in {inventory.region}.")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("run", "launched"):
        table.add_column(name, no_wrap=True)
    counted = ["fleets", "instances", "templates", *(["jobs"] if any(run.jobs for run in inventory.runs) else [])]
    for name in counted:
        table.add_column(name, justify="right", no_wrap=True)
    for run in inventory.runs:
        table.add_row(
            run.run,
            "–" if run.launched is None else f"{run.launched.astimezone(UTC):%m-%d %H:%M}",
            *(str(getattr(run, name)) for name in counted),
        )
    return Group(table, *(line for run in inventory.runs for line in _remarks(run)))


def _remarks(run: RunThere) -> list[Text]:
    lines = [Text(f"{run.run} writes to {run.output}")]
    if run.trouble:
        lines.append(Text(f"{run.run} is waiting for an instance: {run.trouble}", style="yellow"))
    if run.is_orphan:
        lines.append(
            Text(
                f"{run.run} has instances without a fleet; terminate them: pdfbatch down --run {run.run}",
                style="yellow",
            )
        )
    if run.is_finished:
        kinds = {
            "expired fleets": run.expired_fleets,
            "launch templates": run.templates or not (run.queues or run.definitions),
            "queues": run.queues,
            "job definitions": run.definitions,
        }
        left = " and ".join(kind for kind, count in kinds.items() if count)
        lines.append(Text(f"{run.run} is finished; {left} remain (free): pdfbatch down --run {run.run}", style="dim"))
    return lines


def log_line(line: LogLine) -> Text:
    return Text.assemble((f"{line.at:%H:%M:%S} ", "dim"), (f"{line.worker} {line.instance[-8:]} ", "cyan"), line.text)


def heading(text: str) -> Text:
    return Text(f"── {text}", style="bold")
