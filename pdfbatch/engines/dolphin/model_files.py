"""Read the JSON files beside a model's weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pdfbatch.errors import NotReady


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """The object in a model's JSON file; empty if there is no such file or it holds something else.

    Raises:
        NotReady: the file is damaged.
    """
    path = folder / name
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotReady(f"{path} is damaged: {error}", "Download the model's files again.") from error
    return found if isinstance(found, dict) else {}
