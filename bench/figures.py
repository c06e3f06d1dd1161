"""The results of a section of the benchmark, and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measured number. `target` is the promised value, `met` whether it is kept (None: no promise)."""

    name: str
    value: float | str
    unit: str = ""
    target: str = ""
    met: bool | None = None

    @property
    def shown(self) -> str:
        number = self.value if isinstance(self.value, str) else f"{self.value:,.{_decimals(self.value)}f}"
        return f"{number} {self.unit}".rstrip()


@dataclass(frozen=True)
class Section:
    """`notes` say what was compared with what, on which pages."""

    title: str
    figures: list[Figure]
    notes: list[str] = field(default_factory=list)


def at_least(name: str, value: float, target: float, unit: str = "") -> Figure:
    return Figure(name, value, unit, f">= {target:g}", value >= target)


def at_most(name: str, value: float, target: float, unit: str = "") -> Figure:
    return Figure(name, value, unit, f"<= {target:g}", value <= target)


def table(section: Section) -> str:
    """The section as plain text in aligned columns."""
    rows = [(figure.name, figure.shown, figure.target, _mark(figure.met)) for figure in section.figures]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:<{widths[2]}}  {d}".rstrip() for a, b, c, d in rows]
    return "\n".join(
        [f"## {section.title}", *(f"   {note}" for note in section.notes), *(f"  {line}" for line in lines)]
    )


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def missed(sections: Sequence[Section]) -> list[Figure]:
    return [figure for section in sections for figure in section.figures if figure.met is False]


def _decimals(value: float) -> int:
    return 0 if isinstance(value, int) or abs(value) >= 100 else 2


def _mark(met: bool | None) -> str:
    return {None: "", True: "yes", False: "NO"}[met]
