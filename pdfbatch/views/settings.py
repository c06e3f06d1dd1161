"""The screen of `config`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.settings import FILE_NAME, PREFIX, Setting


def settings_screen(rows: Mapping[str, Setting | None]) -> RenderableType:
    """Shows one line per setting; None means that it is not set, so the command's default applies."""
    hint = f"Set an option in {FILE_NAME} (max_hours = 24), as {PREFIX}MAX_HOURS, or on the command line."
    if not rows:
        return Group(Text("No settings: every option has its default value."), Text(hint, style="dim"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("setting", "value", "from"):
        table.add_column(name, overflow="fold")
    for name, setting in rows.items():
        table.add_row(name, *((_shown(setting.value), setting.source) if setting else ("", "default")))
    return Group(table, Text(hint, style="dim"))


def settings_json(rows: Mapping[str, Setting | None]) -> str:
    """Returns `{name: {"value": …, "source": …}}`; both null where the default applies."""
    document = {
        name: {"value": setting.value if setting else None, "source": setting.source if setting else None}
        for name, setting in rows.items()
    }
    return json.dumps(document, indent=2, default=str)


def _shown(value: object) -> str:
    """As it would be written in the file."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
