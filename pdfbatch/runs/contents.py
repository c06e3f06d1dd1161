"""What published Markdown contains: its pages and figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import chain, islice
from multiprocessing import get_context
from typing import NamedTuple, TypeVar

from pdfbatch.markdown.document import anchors
from pdfbatch.records import figures_link, output_key
from pdfbatch.runs.in_order import in_order
from pdfbatch.store import Store, open_store

AT_ONCE = 1000
"""So many documents are given to a process at once; fewer are not worth starting one."""

T = TypeVar("T")


class Contents(NamedTuple):
    """What a Markdown file contains. `pages` is None if its page anchors are not 1, 2, 3, …; then `numbers` lists them.
    `figures` are the names of the figures that it links to."""

    pages: int | None
    figures: frozenset[str]
    numbers: tuple[int, ...] = ()


def contents_of(markdown: str, key: str) -> Contents:
    """Returns the contents of the Markdown at `key`."""
    numbers = [anchor.number for anchor in anchors(markdown)]
    links = re.escape(figures_link(f"{key[: -len('.md')]}.pdf"))
    figures = frozenset(re.findall(rf"\]\({links}([^()/\s]+)\)", markdown))
    if numbers == list(range(1, len(numbers) + 1)):
        return Contents(len(numbers), figures)
    return Contents(None, figures, tuple(numbers))


def read_contents(
    output: Store, documents: Iterable[T], key_of: Callable[[T], str], processes: int, at_once: int = AT_ONCE
) -> Iterator[tuple[T, Contents]]:
    """Yields each document with the contents of its Markdown, in order. A GET takes a millisecond of CPU time, so many
    are read by several processes.

    `key_of` returns the key of a document's input.
    """
    rest = iter(documents)
    chunks = iter(lambda: [*islice(rest, at_once)], [])
    first, second = next(chunks, []), next(chunks, [])
    if not second or processes < 2:
        everything = chain(first, second, rest)
        yield from in_order(lambda each: (each, _read(output, key_of(each))), everything)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:

        def read(some: Sequence[T]) -> list[tuple[T, Contents]]:
            found = pool.submit(_read_all, output.url, [key_of(each) for each in some]).result()
            return list(zip(some, found, strict=True))

        for some in in_order(read, chain([first, second], chunks), processes + 1):
            yield from some


def _read_all(url: str, keys: Sequence[str]) -> list[Contents]:
    """Reads the contents in a process of its own."""
    return list(in_order(lambda key: _read(_opened(url), key), keys))


@cache
def _opened(url: str) -> Store:
    return open_store(url)


def _read(output: Store, key: str) -> Contents:
    made = output_key(key)
    return contents_of(output.get(made).decode("utf-8", "replace"), made)
