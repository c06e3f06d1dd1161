"""The engines `dolphin` (reads every page) and `auto` (only pages without a healthy text layer)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.server import READING
from pdfbatch.engines.base import Reader
from pdfbatch.engines.dolphin.deferred import DeferredReader, beside
from pdfbatch.engines.dolphin.source import DEFAULT_MODEL, model_folder, pinned
from pdfbatch.errors import NotReady
from pdfbatch.records import ReadOptions


class DolphinEngine:
    """Reads every page with the model. `model` is a Hub id, a folder or an s3:// URI; default Dolphin 1.5.

    Raises:
        NotReady: torch or transformers are not installed.
    """

    name = "dolphin"
    preload = READING
    places: Sequence[Path] = ()
    _reads_layers = False

    def __init__(self, model: str = "") -> None:
        self.model = model or DEFAULT_MODEL
        missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
        if missing:
            raise NotReady(
                f"The engine {self.name} needs {' and '.join(missing)}, which are not installed here.",
                "pip install '.[dolphin]' in the clone (docs/dolphin.md), or use --engine cpu.",
            )

    def pinned_model(self) -> str:
        return pinned(self.model)

    def reader(self, children: Children, options: ReadOptions, scratch: Path) -> AbstractContextManager[Reader]:
        def load_reader(folder: Path) -> AbstractContextManager[Reader]:
            from pdfbatch.engines.dolphin.model import load
            from pdfbatch.engines.dolphin.reader import DolphinReader

            dolphin = load(folder, as_published=options.as_published)
            return DolphinReader(dolphin, children, options, scratch, self._reads_layers)

        fetch = beside(_import_libraries, partial(model_folder, self.model))
        return DeferredReader(fetch, load_reader, 2 * children.processes)


def _import_libraries() -> None:
    """Imports what loading a model needs: 6 CPU seconds, so it is done while the weights are downloaded."""
    with suppress(ImportError):  # loading says so
        import torch  # noqa: F401
        from transformers import VisionEncoderDecoderModel  # noqa: F401


class AutoEngine(DolphinEngine):
    name = "auto"
    _reads_layers = True
