"""The packages of the extra `[view]`."""

from __future__ import annotations

from importlib.util import find_spec

from pdfbatch.errors import NotReady

_NEEDED = ("jinja2", "markdown_it", "mdit_py_plugins", "latex2mathml", "nh3")
_SERVER = ("starlette", "uvicorn")


def missing(server: bool = False) -> list[str]:
    """Returns the packages that are not installed. `server`: those for serving pages too."""
    return [name for name in (*_NEEDED, *(_SERVER if server else ())) if find_spec(name) is None]


def check_installed(command: str, server: bool = False) -> None:
    """Checks that the packages for `command` are installed.

    Raises:
        NotReady: some are missing.
    """
    if lacking := missing(server):
        raise NotReady(
            f"`{command}` needs packages that are not installed: {', '.join(lacking)}.",
            "pip install '.[view]' in the clone, or 'pdfbatch[view]'.",
        )
