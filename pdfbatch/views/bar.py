"""One line of progress: a bar as wide as the console allows, then figures."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_FULL, _EMPTY = "━", "─"
_FULL_ASCII, _EMPTY_ASCII = "#", "-"
_LEAST, _MOST = 5, 40
_BAR_STYLE = "green"


def bar(done: int, total: int, width: int) -> str:
    """Draws `width` cells, `done` of `total` of them full; all full where there is nothing to do."""
    full = width * done // total if total else width
    return _FULL * full + _EMPTY * (width - full)


def as_ascii(drawn: str) -> str:
    """Redraws a bar for a console without line characters."""
    return drawn.replace(_FULL, _FULL_ASCII).replace(_EMPTY, _EMPTY_ASCII)


class ProgressLine:
    """Draws `RUNNING ━━━━━━────── 1,840/4,000 documents  46 %  1.4 pages/s`, in one line at every width.

    The empty part is a thinner line, not a darker one, so that light themes show it too.
    """

    def __init__(self, state: Text, done: int, total: int, noun: str, figures: str = "") -> None:
        self._state = state
        self._done = done
        self._total = total
        share = f"  {100 * self._done // self._total} %" if total else ""
        self._tail = f"{done:,}/{total:,} {noun}{'' if total == 1 else 's'}{share}" + (
            f"  {figures}" if figures else ""
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - self._state.cell_len - cell_len(self._tail) - 2
        drawn = bar(self._done, self._total, max(_LEAST, min(room, _MOST)))
        line = Text.assemble(
            self._state,
            " ",
            (as_ascii(drawn) if options.ascii_only else drawn, _BAR_STYLE),
            " ",
            (self._tail, "bold"),
            no_wrap=True,
            overflow="ellipsis",
        )
        yield line
