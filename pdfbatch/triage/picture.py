"""The curve of quality against model pages as an SVG file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from pdfbatch.records import CurvePoint, PolicyReport

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 400, 64, 44, 24, 56
_LINES: tuple[tuple[str, str, Callable[[CurvePoint], float]], ...] = (
    ("best possible", "#9aa0a6", lambda point: point.best),
    ("rule", "#d9730d", lambda point: point.rule),
    ("triage", "#1a6fd4", lambda point: point.triage),
)
_STEPS = 5


def curve_svg(report: PolicyReport, title: str) -> str:
    """Draws the curves; a dot marks the triage at its threshold, and one the rule as it is."""
    lowest = min(min(point.triage, point.rule) for point in report.curve)
    bottom = max(0.0, int(lowest * 20) / 20)

    def place(share: float, quality: float) -> tuple[float, float]:
        across = (quality - bottom) / max(1e-9, 1 - bottom)
        x = _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
        return round(x, 1), round(_HEIGHT - _BOTTOM - across * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [_text(_WIDTH / 2, 24, title, "middle", 15)]
    for step in range(_STEPS + 1):
        quality = bottom + (1 - bottom) * step / _STEPS
        x, y = place(0, quality)
        parts.append(f'<path d="M{x} {y}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(_text(x - 8, y + 4, f"{quality:.1%}", "end"))
        x, y = place(step / _STEPS, bottom)
        parts.append(_text(x, y + 18, f"{step / _STEPS:.0%}", "middle"))
    parts.append(_text(_WIDTH / 2, _HEIGHT - 16, "pages that the model reads", "middle"))
    for number, (name, colour, value) in enumerate(_LINES):
        points: Sequence[tuple[float, float]] = [place(point.share, value(point)) for point in report.curve]
        path = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = _WIDTH - 150, _HEIGHT - _BOTTOM - 20 - 18 * number
        parts.append(f'<path d="M{x} {y}h22" stroke="{colour}" stroke-width="2"/>' + _text(x + 30, y + 4, name))
    for dot, colour in ((report.rule, "#d9730d"), (report.chosen, "#1a6fd4")):
        x, y = place(dot.share, max(bottom, dot.quality))
        parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>')
    parts.insert(0, '<rect width="100%" height="100%" fill="#fff"/>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="sans-serif">\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="#333">{escape(text)}</text>'
