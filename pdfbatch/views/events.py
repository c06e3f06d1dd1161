"""What was delivered to a sink, and what waits."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from pdfbatch.views.words import plural, to_copy
from pdfbatch.visible import visible

if TYPE_CHECKING:
    from pdfbatch.delivery.background import Left
    from pdfbatch.delivery.whole_run import Delivered


def events_command(output: str, address: str) -> str:
    """Returns the command that delivers what is left."""
    return f"pdfbatch events {shlex.quote(output)} --to {shlex.quote(address)}"


def delivered_screen(found: Delivered) -> RenderableType:
    """Shows what was delivered, and the next command."""
    before = f", {found.before:,} before" if found.before else ""
    lines: list[RenderableType] = [
        Text.assemble(("SENT", "bold green"), f"  {plural(found.delivered, 'event')} to {visible(found.sink)}{before}"),
        Text(f"run {found.run}{'' if found.ended else ', which has not ended'}"),
    ]
    if not found.ended:
        lines.append(to_copy("go on:", f"{events_command(found.output, found.sink)} --follow", "bold"))
    return Group(*lines)


def left_lines(left: Sequence[Left], output: str) -> list[str]:
    """Returns a line for each sink that did not get everything."""
    return [
        f"{plural(each.events, 'event')} not delivered to {visible(each.address)} "
        f"({visible(each.trouble.rstrip('.'))}): {events_command(output, each.address)}"
        for each in left
    ]
