"""One task of a processor. Runs in a child process."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from pdfbatch.processors.base import Processor, ReadDocument, UnfitDocument
from pdfbatch.records import OptionValue

_MOST_DETAIL = 500


class TaskEnd(NamedTuple):
    """Why a task made no files, in one sentence; "" if it did. `is_unfit`: the processor is not to blame."""

    why: str = ""
    is_unfit: bool = False


def run_processor(target: str, options: Mapping[str, OptionValue], document: ReadDocument) -> TaskEnd:
    """Run the processor `module:Class` on a document. Its temporary files go beside `document.folder`, because a child
    may write nowhere else, and are removed with the document.

    Raises:
        MemoryError: the child has no more memory.
    """
    before, tempfile.tempdir = tempfile.tempdir, str(document.folder.parent)
    try:
        processor = _processor(target, tuple(options.items()))
        processor.validate(document)
        processor.process(document)
    except UnfitDocument as error:
        return TaskEnd(_sentence(str(error)), is_unfit=True)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # an exception of a stranger cannot always be sent to the parent
        return TaskEnd(_sentence(f"{type(error).__name__}: {error}"))
    finally:
        tempfile.tempdir = before
    return TaskEnd()


@cache
def _processor(target: str, options: tuple[tuple[str, OptionValue], ...]) -> Processor:
    module, _, attribute = target.partition(":")
    found: type[Processor] = getattr(importlib.import_module(module), attribute)
    return found(found.Options.model_validate(dict(options)))


def _sentence(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())[:_MOST_DETAIL] or "it gave no reason"
