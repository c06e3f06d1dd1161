"""What an address asks of the table of documents. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

SORTS = ("key", "outcome", "reason", "engine", "score", "pages", "bad", "seconds", "at")
"""The columns of the table, as an address names them."""
PAGE_SIZE = 50
_LARGEST_PAGE = 10**9


class Asked(NamedTuple):
    """Filters, order and page of the table."""

    text: str = ""
    outcome: str = ""
    reason: str = ""
    engine: str = ""
    low: float | None = None
    high: float | None = None
    sort: str = "key"
    down: bool = False
    page: int = 1
    size: int = PAGE_SIZE

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Asked:
        """Reads an address; what makes no sense is left out."""
        sort = query.get("sort", "key")
        return cls(
            text=query.get("text", ""),
            outcome=query.get("outcome", ""),
            reason=query.get("reason", ""),
            engine=query.get("engine", ""),
            low=_number(query.get("low", "")),
            high=_number(query.get("high", "")),
            sort=sort if sort in SORTS else "key",
            down=query.get("down") == "1",
            page=page_number(query.get("page", "")),
        )

    def address(self, run: str, **changes: object) -> str:
        """Returns the address of the table with some of this changed."""
        wanted = self._replace(**changes)  # type: ignore[arg-type]  # the templates name real fields
        given = {name: value for name, value in wanted._asdict().items() if value != Asked._field_defaults[name]}
        given = {name: "1" if value is True else value for name, value in given.items()}
        query = urlencode({**given, **({"run": run} if run else {})})
        return f"/documents?{query}" if query else "/documents"


def page_number(text: str) -> int:
    """Reads a page number from 1; 1 if it is none."""
    return min(max(int(text), 1), _LARGEST_PAGE) if text.isascii() and text.isdigit() and len(text) < 12 else 1


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
