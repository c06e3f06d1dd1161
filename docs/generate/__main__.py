"""`python -m docs.generate pages|pictures`: renews the generated pages, or the pictures, beside this folder."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generate import commands, reasons

DOCS = Path(__file__).parents[1]
PAGES = {"commands.md": commands.page, "reasons.md": reasons.page}


def main(what: str) -> None:
    if what == "pages":
        for name, page in PAGES.items():
            (DOCS / name).write_text(page(), encoding="utf-8")
        return
    from docs.generate import paper, screens  # they need more than the pages

    folder = DOCS / "pictures"
    folder.mkdir(exist_ok=True)
    screens.draw(folder)
    paper.draw(folder)


if __name__ == "__main__":
    main(sys.argv[1])
