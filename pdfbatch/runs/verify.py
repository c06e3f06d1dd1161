"""Checks that every input has one outcome and every Markdown its pages. `judge` is pure."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, computed_field

from pdfbatch.errors import NotFound
from pdfbatch.markdown.document import anchors
from pdfbatch.records import STATE_PREFIX, PageSet, figures_link, figures_prefix, output_key
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.inputs import listed
from pdfbatch.runs.ledger import Final
from pdfbatch.runs.versions import recognised
from pdfbatch.store import DANGLING, Store, open_store

_READERS = 16


class Contents(NamedTuple):
    """What a Markdown file contains. `pages` is None if its page anchors are not 1, 2, 3, …; then `numbers` lists them.
    `figures` are the names of the figures that it links to."""

    pages: int | None
    figures: frozenset[str]
    numbers: tuple[int, ...] = ()


class Verdict(BaseModel):
    """The result of `verify`; the lists contain keys of inputs (`orphans`: of outputs)."""

    model_config = ConfigDict(frozen=True)
    input: str
    output: str
    inputs: int
    ok: int
    partial: int
    failed: int
    no_outcome: list[str]
    """No run has recorded an outcome."""
    foreign: list[str] = []
    """The part of `no_outcome` with Markdown that was not written by a run; no run will overwrite it."""
    lost: list[str]
    """Recorded as published, but the Markdown is missing."""
    wrong_pages: list[str]
    """The Markdown's page anchors do not match the requested pages."""
    lost_figures: list[str]
    """The Markdown links to a missing figure."""
    changed: list[str]
    """The PDF has changed since it was converted."""
    stale: list[str]
    """The last try failed; the existing Markdown is from an earlier one."""
    missing: list[str]
    """Converted, but the PDF has been deleted since; the Markdown is fine."""
    orphans: list[str]
    """Markdown without an input or an outcome: not written by a run, or left over."""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def sound(self) -> bool:
        return not (self.no_outcome or self.lost or self.wrong_pages or self.lost_figures or self.changed or self.stale)


def verify(output: Store, run: str | None = None) -> Verdict:
    """Checks an output against its input and the ledger.

    Raises:
        NotFound: there is no run on this output.
    """
    run = run or manifest.current(output)
    if run is None:
        raise no_run(output)
    frozen, history = manifest.load(output, run), ledger.history(output)
    source = open_store(frozen.input)
    entries = recognised(source, listed(source, frozen.chosen, history).entries, history)
    etags = {entry.key: entry.etag for entry in entries}
    takes = frozen.chosen.taker()
    keys = sorted((key for key in etags if key in history or takes(key)), key=lambda key: key.encode())
    published, figures = _outputs(output)
    return judge(source.url, output.url, keys, etags, published, figures, history, _contents(output))


def no_run(output: Store) -> NotFound:
    return NotFound(
        f"No runs in {output.url}.",
        "Start one: `pdfbatch local-run INPUT OUTPUT` here, or `pdfbatch launch INPUT OUTPUT` on a fleet.",
    )


def judge(
    source: str,
    output: str,
    keys: Sequence[str],
    etags: Mapping[str, str],
    published: Sequence[str],
    figures: Mapping[str, Set[str]],
    history: Mapping[str, Final],
    look: Callable[[Sequence[str]], Mapping[str, Contents]],
) -> Verdict:
    """Compares inputs, outcomes and outputs. Pure except for `look`.

    `published` are the keys of Markdown, `figures` the names of figures by their folder; `look` returns the contents of
    Markdown by its key.
    """
    there = set(published)
    converted = {key: final for key, final in history.items() if final.outcome != "failed"}
    lost = sorted(key for key in converted if output_key(key) not in there and key in etags)
    contents = look([output_key(key) for key in converted if output_key(key) in there])
    made = {output_key(key) for key in converted}
    known = {output_key(key) for key in history}
    orphans = there - known
    finals = [history[key] for key in keys if key in history]
    return Verdict(
        input=source,
        output=output,
        inputs=len(keys),
        ok=sum(final.outcome == "ok" for final in finals),
        partial=sum(final.outcome == "partial" for final in finals),
        failed=sum(final.outcome == "failed" for final in finals),
        no_outcome=[key for key in keys if key not in history],
        foreign=[key for key in keys if key not in history and output_key(key) in orphans],
        lost=lost,
        wrong_pages=sorted(
            key
            for key, final in converted.items()
            if (found := contents.get(output_key(key))) is not None and not _has_pages(found, final)
        ),
        lost_figures=sorted(
            key
            for key in converted
            if (found := contents.get(output_key(key))) is not None
            and not found.figures <= figures.get(figures_prefix(key), frozenset())
        ),
        changed=sorted(key for key in keys if key in history and history[key].etag != etags[key]),
        stale=sorted(
            key
            for key, final in history.items()
            if final.outcome == "failed" and output_key(key) in there and output_key(key) not in made
        ),
        missing=sorted(key for key in history if key not in etags),
        orphans=sorted(orphans),
    )


def _has_pages(found: Contents, final: Final) -> bool:
    asked = PageSet.read(final.asked_pages).first(final.pages)
    return asked == (found.numbers if found.pages is None else tuple(range(1, found.pages + 1)))


def _outputs(output: Store) -> tuple[list[str], dict[str, set[str]]]:
    """Returns the keys of Markdown, and the names of figures by folder; names are interned, because they repeat."""
    published: list[str] = []
    figures: dict[str, set[str]] = {}
    for entry in output.list():
        if entry.key.startswith(STATE_PREFIX) or entry.etag == DANGLING:
            continue
        if entry.key.endswith(".md"):
            published.append(entry.key)
        folder, _, name = entry.key.rpartition("/")
        if folder.endswith("/figures"):
            figures.setdefault(f"{folder}/", set()).add(sys.intern(name))
    return published, figures


def _contents(output: Store) -> Callable[[Sequence[str]], Mapping[str, Contents]]:
    def read(key: str) -> Contents:
        return contents_of(output.get(key).decode("utf-8", "replace"), key)

    def look(keys: Sequence[str]) -> Mapping[str, Contents]:
        with ThreadPoolExecutor(_READERS) as pool:
            return dict(zip(keys, pool.map(read, keys), strict=True))

    return look


def contents_of(markdown: str, key: str) -> Contents:
    """Returns the contents of the Markdown at `key`."""
    numbers = [anchor.number for anchor in anchors(markdown)]
    links = re.escape(figures_link(f"{key[: -len('.md')]}.pdf"))
    names = re.findall(rf"\]\({links}([^()/\s]+)\)", markdown)
    figures = frozenset(map(sys.intern, names))
    if numbers == list(range(1, len(numbers) + 1)):
        return Contents(len(numbers), figures)
    return Contents(None, figures, tuple(numbers))
