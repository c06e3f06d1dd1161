"""Words lost on the way from the text layer to the Markdown, ours and the bare loop's.

Words as in `pdfbatch.documents.textlayer.words`; lost are those of the layer that the Markdown of the same page does
not hold, as multisets; ours by the elements that the Markdown is made of, page by page. Only pages with 20 legible
words or more are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pdfbatch.documents.textlayer.words import DOUBLED_SHARE, KEPT_SHARE
from tests.markdown_words import words_of_markdown

from .baseline import bare_loop
from .corpus import CorpusFile, PageFacts, copied, pages_in, readable
from .figures import Figure, Section, at_most, share
from .measure import say
from .ours import local_run, texts_of

PAGES_OF_FILE = 100
"""Pages of one file at most, so that no file outweighs the others and the whole takes minutes."""
MarkdownOf = Callable[[str, int], str]
"""(file name, page number from 1) → Markdown."""


@dataclass(frozen=True)
class PageLoss:
    name: str
    number: int
    layer: int
    lost: int
    out: int

    @property
    def share(self) -> float:
        return self.lost / self.layer

    def __str__(self) -> str:
        return f"{self.name} p. {self.number}: {self.lost} of {self.layer}"


def run(corpus: Path, scratch: Path) -> list[Section]:
    files = copied(readable(corpus), scratch / "words", PAGES_OF_FILE)
    source = files[0].path.parent
    with ThreadPoolExecutor(2) as pool:  # nothing is timed here
        bare = [pool.submit(_bare, files, scratch / f"bare-{drop}.json", drop) for drop in (False, True)]
        kept, dropped = (job.result() for job in bare)
    say("words: the bare loops are done")
    for keep in (True, False):
        local_run(source, scratch / f"words-{keep}", processes=2, keep_headers=keep)
    say("words: ours is done")
    return [
        _section("headers and footers kept", files, kept, _ours(scratch / "words-True"), at_most_lost=1.0),
        _section("headers and footers dropped", files, dropped, _ours(scratch / "words-False"), at_most_lost=None),
    ]


def losses(files: Sequence[CorpusFile], markdown_of: MarkdownOf) -> list[PageLoss]:
    """One for each legible page, worst first."""
    found = [
        _loss(file.path.name, number, page, words_of_markdown(markdown_of(file.path.name, number)))
        for file in files
        for number, page in enumerate(file.pages, start=1)
        if page.legible
    ]
    return sorted(found, key=lambda loss: loss.share, reverse=True)


def _loss(name: str, number: int, page: PageFacts, out: Counter[str]) -> PageLoss:
    return PageLoss(name, number, page.words.total(), (page.words - out).total(), out.total())


def _bare(files: Sequence[CorpusFile], result: Path, drop_headers: bool) -> MarkdownOf:
    found = bare_loop(files, result, drop_headers=drop_headers)[1]
    return lambda name, number: found[name][number - 1] or ""


def _ours(output: Path) -> MarkdownOf:
    return lambda name, number: texts_of(output, name).get(number, "")


def _section(
    title: str, files: Sequence[CorpusFile], bare: MarkdownOf, ours: MarkdownOf, at_most_lost: float | None
) -> Section:
    figures: list[Figure] = []
    for who, markdown_of in (("bare loop", bare), ("ours", ours)):
        found = losses(files, markdown_of)
        layer, lost = sum(loss.layer for loss in found), sum(loss.lost for loss in found)
        poor = sum(loss.share > 1 - KEPT_SHARE for loss in found)
        twice = sum(loss.out > DOUBLED_SHARE * loss.layer for loss in found)
        figures += [
            Figure(f"{who}: words lost", f"{lost:,} of {layer:,}, {share(lost, layer)}"),
            Figure(f"{who}: pages with more than 10 % lost", poor),
            Figure(f"{who}: pages with more than 1.3 x the words", twice),
            *(Figure(f"{who}: worst", str(loss)) for loss in found[:3]),
        ]
    if at_most_lost is not None:
        figures.append(at_most("ours: words lost", 100 * lost / layer, at_most_lost, "%"))
    legible = sum(page.legible for file in files for page in file.pages)
    note = f"{legible} legible pages of {pages_in(files)}; the bare loop has OCR off, so that layers are compared"
    return Section(f"Words lost, {title}", figures, [note])
