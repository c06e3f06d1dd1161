"""Retries store operations after errors that may be temporary."""

import time
from collections.abc import Callable
from typing import TypeVar

from pdfbatch.errors import AccessDenied, NotFound, StoreError, StoreFull

T = TypeVar("T")


def patiently(task: Callable[[], T], retries: int) -> T:
    """Runs a task; retries after a store error that may be temporary, and raises a permanent one at once."""
    for attempt in range(retries):
        try:
            return task()
        except (NotFound, AccessDenied, StoreFull):
            raise
        except StoreError:
            time.sleep(2.0**attempt)
    return task()
