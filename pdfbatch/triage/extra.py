"""The packages of the extra `[triage]`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from pdfbatch.errors import NotReady

_COMPARING = ("rapidfuzz",)
_TRAINING = ("sklearn", *_COMPARING)
_REGISTRY = ("mlflow",)
_SQLITE = ("sqlalchemy", "alembic")


def check_comparing(find: Callable[[str], object] = find_spec) -> None:
    """Checks that the packages for comparing two readings are installed.

    Raises:
        NotReady: some are missing; as below.
    """
    _check("Comparing two readings of a page", _COMPARING, find)


def check_training(find: Callable[[str], object] = find_spec) -> None:
    """Checks that the packages for training are installed."""
    _check("`triage train`", _TRAINING, find)


def check_registry(address: str, find: Callable[[str], object] = find_spec) -> None:
    """Checks that the packages for MLflow at `address` are installed."""
    is_file = address.startswith("sqlite:")
    _check("MLflow in a file (sqlite:)" if is_file else "MLflow", (*_REGISTRY, *(_SQLITE if is_file else ())), find)


def _check(what: str, packages: tuple[str, ...], find: Callable[[str], object]) -> None:
    if missing := [name for name in packages if find(name) is None]:
        raise NotReady(
            f"{what} needs packages that are not installed: {', '.join(missing)}.",
            "pip install '.[triage]' in the clone, or 'pdfbatch[triage]' (docs/triage.md).",
        )
