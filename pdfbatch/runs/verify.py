"""Checks that every input has one outcome and every Markdown its pages. `judge` is pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, computed_field

from pdfbatch import config
from pdfbatch.errors import NotFound
from pdfbatch.records import PageSet, figures_prefix, output_key
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.contents import Contents, read_contents
from pdfbatch.runs.inputs import listed
from pdfbatch.runs.key_table import KeyTable
from pdfbatch.runs.ledger import Final
from pdfbatch.runs.outputs import written_to
from pdfbatch.runs.versions import recognised
from pdfbatch.store import Entry, Store, open_store

Document = tuple[str, Final]
"""A key with its final outcome."""
Look = Callable[[Iterable[Document]], Iterable[tuple[Document, Contents]]]
"""Reads the Markdown of documents."""


class Places(NamedTuple):
    source: str
    output: str


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
    entries.sort(key=lambda entry: entry.key)
    look = partial(read_contents, output, key_of=_key, processes=config.default_processes())
    places = Places(source.url, output.url)
    return judge(places, entries, frozen.chosen.taker(), written_to(output), history, look)


def _key(document: Document) -> str:
    return document[0]


def no_run(output: Store) -> NotFound:
    return NotFound(
        f"No runs in {output.url}.",
        "Start one: `pdfbatch local-run INPUT OUTPUT` here, or `pdfbatch launch INPUT OUTPUT` on a fleet.",
    )


def judge(
    places: Places,
    entries: Iterable[Entry],
    takes: Callable[[str], bool],
    written: Mapping[str, str],
    history: Mapping[str, Final],
    look: Look,
) -> Verdict:
    """Compares inputs, outcomes and outputs, in one pass over each. Pure except for `look`.

    `entries` are all files of the input by key, `takes` says which are documents, `written` are the keys of Markdown
    and figures; `history` and `written` are in order.
    """
    outputs = _judge_outputs(written, history, look)
    inputs = _judge_inputs(entries, takes, outputs, history)
    return Verdict(
        input=places.source,
        output=places.output,
        inputs=inputs.number,
        ok=inputs.outcomes["ok"],
        partial=inputs.outcomes["partial"],
        failed=inputs.outcomes["failed"],
        no_outcome=inputs.no_outcome,
        foreign=[key for key in inputs.no_outcome if output_key(key) in outputs.orphans],
        lost=inputs.lost,
        wrong_pages=outputs.wrong_pages,
        lost_figures=outputs.lost_figures,
        changed=inputs.changed,
        stale=outputs.stale,
        missing=inputs.missing,
        orphans=sorted(outputs.orphans),
    )


class _Outputs(NamedTuple):
    absent: set[str]
    """Converted, but without Markdown."""
    wrong_pages: list[str]
    lost_figures: list[str]
    stale: list[str]
    orphans: set[str]


def _judge_outputs(written: Mapping[str, str], history: Mapping[str, Final], look: Look) -> _Outputs:
    found = _Outputs(set(), [], [], [], set())
    failed_with_markdown: dict[str, str] = {}

    def published() -> Iterator[Document]:
        for key, final in history.items():
            is_there = output_key(key) in written
            if final.outcome == "failed" and is_there:
                failed_with_markdown[key] = output_key(key)
            elif final.outcome != "failed" and is_there:
                yield key, final
            elif final.outcome != "failed":
                found.absent.add(key)

    for (key, final), contents in look(published()):
        if not _has_pages(contents, final):
            found.wrong_pages.append(key)
        if any(figures_prefix(key) + name not in written for name in contents.figures):
            found.lost_figures.append(key)
    found.stale.extend(_stale(failed_with_markdown, history))
    known = KeyTable(((output_key(key), "", (final.processors,)) for key, final in history.items()), tuple[str, ...])
    markdown = (key for key in written if key.endswith(".md"))
    found.orphans.update(key for key in absent(markdown, known) if not _is_of_processor(key, known))
    return found


def _is_of_processor(key: str, known: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a file is in the folder of a processor beside one of the Markdown files in `known`, which maps them to
    their processors."""
    parts = key.split("/")
    return any(parts[at] in known.get("/".join(parts[:at]) + ".md", ()) for at in range(1, len(parts) - 1))


def _stale(failed: Mapping[str, str], history: Mapping[str, Final]) -> Iterable[str]:
    """Returns the failed documents whose Markdown is not that of another document (`b.pdf` beside `b.PDF`)."""
    theirs = set(failed.values())
    if theirs:
        made = (output_key(key) for key, final in history.items() if final.outcome != "failed")
        theirs -= {key for key in made if key in theirs}
    return [key for key, made in failed.items() if made in theirs]


class _Inputs(NamedTuple):
    number: int
    outcomes: Counter[str]
    no_outcome: list[str]
    changed: list[str]
    lost: list[str]
    missing: list[str]


def _judge_inputs(
    entries: Iterable[Entry], takes: Callable[[str], bool], outputs: _Outputs, history: Mapping[str, Final]
) -> _Inputs:
    outcomes, no_outcome, changed, lost = Counter[str](), list[str](), list[str](), list[str]()

    def keys() -> Iterator[str]:
        for entry in entries:
            past = history.get(entry.key)
            if past is not None:
                outcomes[past.outcome] += 1
                if past.etag != entry.etag:
                    changed.append(entry.key)
                if entry.key in outputs.absent:
                    lost.append(entry.key)
            elif takes(entry.key):
                no_outcome.append(entry.key)
            yield entry.key

    missing = list(absent(history, keys()))
    number = sum(outcomes.values()) + len(no_outcome)
    return _Inputs(number, outcomes, no_outcome, changed, lost, missing)


def absent(wanted: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yields those of `wanted` that are not `known`; both are in order and read to their ends."""
    rest = iter(known)
    other = next(rest, None)
    for key in wanted:
        while other is not None and other < key:
            other = next(rest, None)
        if other != key:
            yield key
    for _ in rest:
        pass


def _has_pages(found: Contents, final: Final) -> bool:
    asked = PageSet.read(final.asked_pages).first(final.pages)
    return asked == (found.numbers if found.pages is None else tuple(range(1, found.pages + 1)))
