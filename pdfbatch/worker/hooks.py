"""What the pipeline calls in its worker."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from pdfbatch.records import PageResult


class Hooks(NamedTuple):
    """All are called in the pipeline's deciding thread."""

    now: Callable[[], datetime]
    page_done: Callable[[PageResult, float, bool], None]
    """Takes every page, its share of the work, and whether it was read before."""
    expect: Callable[[int, float], None]
    """Takes documents that are added to this worker's, and their work."""
    tick: Callable[[], None]
    """Called several times a second, for timed work."""
    on_durable: Callable[[], None]
    """Called when pages read by this process are stored for good."""
