"""The screen of `config`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.settings import FILE_NAME, PREFIX, Row, as_written


def settings_screen(rows: Mapping[str, Row]) -> RenderableType:
    """Shows one line per setting: its value and where it comes from, or its default."""
    hint = f"Set an option in {FILE_NAME} (max_hours = 24), as {PREFIX}MAX_HOURS, or on the command line."
    if not rows:
        none = "No settings: every option has its default value. `pdfbatch config --all` lists them."
        return Group(Text(none), Text(hint, style="dim"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("setting", "value", "from"):
        table.add_column(name, overflow="fold", no_wrap=name == "setting")
    for name, (setting, default) in rows.items():
        if setting:
            table.add_row(name, as_written(setting.value), setting.source)
        else:
            table.add_row(name, Text(default or "none", style="dim"), Text("default", style="dim"))
    return Group(table, Text(hint, style="dim"))


def settings_json(rows: Mapping[str, Row]) -> str:
    """Returns `{name: {"value": …, "source": …, "default": …}}`; value and source are null where the default applies,
    which is in words."""
    document = {
        name: {
            "value": setting.value if setting else None,
            "source": setting.source if setting else None,
            "default": default,
        }
        for name, (setting, default) in rows.items()
    }
    return json.dumps(document, indent=2, default=str)
