"""View a page upright and at ordinary size, without changing it.

The layout model expects lines that run to the right and pages of paper size: it makes a bitmap of one pixel per point.
pymupdf's own way is to turn the page in the document (`remove_rotation`), which rewrites its content, so the result
would depend on what was read before. Here the page stays unchanged and is seen through a matrix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pdfbatch.documents.pdf.drawing import draw
from pdfbatch.documents.pdf.mupdf import pymupdf

POINTS_PER_INCH = 72
LONGEST_SIDE = 3000.0
"""Points; a page with a longer side is scaled down, unless its letters would become too small."""
MOST_PIXELS = 12e6
LEGIBLE_POINTS = 8.0
SLANT = 0.01
"""Sine of the angle from which a line counts as slanting."""

# The way a page must be turned, clockwise, for lines of a direction to run to the right.
_TURNS = {(1, 0): 0, (0, -1): 90, (-1, 0): 180, (0, 1): 270}


class Pose(NamedTuple):
    """How text lies in a page's unrotated space: after turning it by `turn` degrees clockwise it runs to the right; if
    it is `mirrored`, it is then still upside down and must be flipped top to bottom."""

    turn: int = 0
    mirrored: bool = False


UPRIGHT = Pose()
Amend = Callable[[pymupdf.TextPage, pymupdf.Matrix], Any]


class UprightPage:
    """The parts of a page that pymupdf's layout model uses: `rect`, a bitmap, a text page, widgets."""

    def __init__(
        self, page: pymupdf.Page, pose: Pose = UPRIGHT, letter_points: float = 10.0, amend: Amend | None = None
    ) -> None:
        """`pose`: that of the page's text. `letter_points`: its font size. `amend`: changes a text page to what is
        seen, given the matrix from unrotated space to it."""
        self._amend = amend
        self.page = page
        self._pose = pose
        self.turn = pose.turn
        width, height = unrotated_size(page)
        shown = (height, width) if pose.turn % 180 else (width, height)
        self.scale = _scale(*shown, letter_points)
        self.rect = pymupdf.Rect(0, 0, shown[0] * self.scale, shown[1] * self.scale)
        self.matrix = upright_matrix(pose, width, height) * pymupdf.Matrix(self.scale, self.scale)
        self._made: dict[int, pymupdf.TextPage] = {}
        self.text_shown: Callable[[pymupdf.TextPage], Any] = lambda textpage: textpage.extractDICT()
        """Selects what the layout model sees of a text page."""

    def get_textpage(self, flags: int) -> pymupdf.TextPage:
        """Return the text page for these flags; the layout model and our own code share it."""
        flags |= pymupdf.TEXT_IGNORE_ACTUALTEXT
        if flags not in self._made:
            self._made[flags] = self.page.get_textpage(clip=self.rect, flags=flags, matrix=self.matrix)
        return self._made[flags]

    def get_text(self, option: str, textpage: pymupdf.TextPage) -> Any:
        assert option == "dict"
        return self.text_shown(textpage)

    def seen(self, textpage: pymupdf.TextPage) -> Any:
        """Return one of its text pages, amended."""
        return self._amend(textpage, self.matrix) if self._amend else textpage

    def get_pixmap(self) -> pymupdf.Pixmap:
        return draw(self.page, self._shown())

    def draw(self, box: tuple[float, float, float, float], dpi: float) -> pymupdf.Pixmap:
        """Draw the part of the page in `box` (points of `rect`) at `dpi` of the printed page."""
        zoom = dpi / POINTS_PER_INCH / self.scale
        clip = pymupdf.Rect(box) * ~self._shown()
        matrix = self._shown() * pymupdf.Matrix(zoom, zoom)
        return draw(self.page, matrix, clip)

    def _shown(self) -> pymupdf.Matrix:
        """Return the matrix from the page as pymupdf shows it to the points of `rect`."""
        high = -self.scale if self._pose.mirrored else self.scale
        matrix = pymupdf.Matrix((self._pose.turn - self.page.rotation) % 360) * pymupdf.Matrix(self.scale, high)
        corner = (self.page.rect * matrix).tl
        return matrix * pymupdf.Matrix(1, 0, 0, 1, -corner.x, -corner.y)

    def widgets(self) -> Iterator[Any]:
        """Return no widgets: the text of form fields is on the page, and only the model's check boxes would come from
        here."""
        return iter(())

    @property
    def last_textpage(self) -> pymupdf.TextPage:
        return list(self._made.values())[-1]


def unrotated_size(page: pymupdf.Page) -> tuple[float, float]:
    """Return width and height in points before the page's /Rotate, in the space of pymupdf's text coordinates."""
    width, height = page.rect.width, page.rect.height
    return (height, width) if page.rotation % 180 else (width, height)


def pose_from(direction: tuple[float, float], box: tuple[float, ...], origin: tuple[float, float]) -> Pose:
    """Return the pose of a line, from its direction to the nearest quarter turn and from where in its box the baseline
    lies. For a slanting line the box says nothing about mirroring."""
    dx, dy = direction
    level = abs(dx) >= abs(dy)
    way = (1 if dx >= 0 else -1, 0) if level else (0, 1 if dy > 0 else -1)
    if min(abs(dx), abs(dy)) > SLANT:
        return Pose(_TURNS[way])
    low = origin[1] - (box[1] + box[3]) / 2 if level else (box[0] + box[2]) / 2 - origin[0]
    return Pose(_TURNS[way], mirrored=low * (way[0] + way[1]) < 0)


def pose_of(letters: Iterable[tuple[Pose, int]]) -> Pose:
    """Return the pose that most letters have; on a tie, the one that changes least."""
    counts: Counter[Pose] = Counter()
    for pose, count in letters:
        counts[pose] += count
    return max(sorted(counts), key=lambda pose: counts[pose], default=UPRIGHT)


def upright_matrix(pose: Pose, width: float, height: float) -> pymupdf.Matrix:
    """Return the matrix from the unrotated space of a page of `width` x `height` points to the page set upright."""
    turned = {
        0: pymupdf.Matrix(1, 0, 0, 1, 0, 0),
        90: pymupdf.Matrix(0, 1, -1, 0, height, 0),
        180: pymupdf.Matrix(-1, 0, 0, -1, width, height),
        270: pymupdf.Matrix(0, -1, 1, 0, 0, width),
    }[pose.turn]
    shown_height = width if pose.turn % 180 else height
    return turned * pymupdf.Matrix(1, 0, 0, -1, 0, shown_height) if pose.mirrored else turned


def _scale(width: float, height: float, letter_points: float) -> float:
    """Return the scale that shrinks big pages with big letters to `LONGEST_SIDE`, and any page to `MOST_PIXELS`."""
    wanted = min(1.0, LONGEST_SIDE / max(width, height, 1.0))
    legible = min(1.0, LEGIBLE_POINTS / max(letter_points, 1.0))
    capped = min(1.0, (MOST_PIXELS / max(width * height, 1.0)) ** 0.5)
    return float(min(max(wanted, legible), capped))
