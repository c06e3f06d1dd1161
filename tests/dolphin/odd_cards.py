"""A page as real models lay it out at their worst, for a second tiny model: tags, overlaps, nested boxes, boxes written
twice or from right to left; and texts with digits, tags and CJK, which its tokenizer has as special tokens."""

from __future__ import annotations

from tests.dolphin.cards import CAPTION, FIGURE, HEADER, SHORE, TITLE, Card, Placed, SamplePage

SPECIALS = (
    *"0123456789",
    *"[],.:;()",
    *("<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", '<td colspan="2">'),
    *"潮汐會的記錄",
)
"""Special tokens beside those of every model, as Dolphin's own tokenizer has them."""

DIGITS = Card(("green", "blue", "orange"), "para", "On 2026.11.25 at 07:41 (41, 42; 43).")
CJK = Card(("blue", "teal", "magenta"), "para", "潮汐會的記錄 1901")
TABLE = Card(
    ("green", "magenta", "orange"),
    "tab",
    '<table><tr><td colspan="2">2026</td></tr><tr><td>1</td><td>41</td></tr></table>',
)
FORMULA = Card(("magenta", "teal", "orange"), "equ", "n = 41 (7.5)")

ODD = SamplePage(
    ("blue", "magenta"),
    (
        Placed(HEADER, (144, 96, 400, 152), ("meta_num",)),
        Placed(TITLE, (144, 176, 752, 248), ("meta_pub",)),
        Placed(DIGITS, (144, 280, 752, 344), ("author", "meta_num")),
        Placed(TABLE, (144, 368, 432, 496), ("meta_num",)),
        Placed(FORMULA, (464, 368, 752, 496), ("meta_pub", "inline"), after="[RELATION_SEP]"),
        # The figure's box holds its caption's; the text below begins inside the figure's last lines.
        Placed(FIGURE, (144, 528, 752, 704)),
        Placed(CAPTION, (240, 632, 656, 688)),
        Placed(CJK, (144, 700, 752, 764)),
        Placed(CJK, (144, 700, 752, 764)),
        Placed(SHORE, (752, 860, 144, 796)),
    ),
)
CARDS = [HEADER, TITLE, DIGITS, TABLE, FORMULA, FIGURE, CAPTION, CJK, SHORE]
PAGES = [ODD]
