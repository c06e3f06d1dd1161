"""Markdown as models answer it, parsed into elements of the page model. Pure.

What the parser must not touch is taken out first and put back into its tokens: formulas, whose `_` and `\\` are not
Markdown's, and HTML tables, which may have blank lines in them. All text becomes plain text of spans: the one writer
escapes it again, so that nothing in an answer is markup of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from pdfbatch.engines.answers.formulas import segments
from pdfbatch.engines.answers.prose import clean, displayed, span_of
from pdfbatch.engines.answers.tables import caption_of, cells_of, is_html, tables_of
from pdfbatch.engines.refine import Kind
from pdfbatch.paragraphs import without_breaks
from pdfbatch.records import NO_TEXT, Box, Cell, Element, Label, Span

_NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)
_OPEN, _CLOSE = "\ue000", "\ue001"
_HELD = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_OURS = re.compile(f"[{_OPEN}{_CLOSE}]")
_FENCED = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n`]*\n.*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)", re.DOTALL | re.M)
_WRAPPED = re.compile(
    r"(?P<fence>`{3,}|~{3,})(?:markdown|md|html|text|plaintext)?[ \t]*\n(?P<inside>.*?)\n?(?P=fence)?\s*",
    re.DOTALL | re.IGNORECASE,
)
_FENCE_LINE = re.compile(r"^ {0,3}(?:`{3,}|~{3,})[^`\n]*$", re.MULTILINE)
_BARE_WRAPPED = re.compile(r"(?:`{3,}|~{3,})[ \t]*\n")
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n(?:[A-Za-z_]{1,40}:[^\n]*\n){1,30}---[ \t]*(?:\n|$)")
_COMMENT = re.compile(r"<!--.{0,2000}?-->", re.DOTALL)
_WRAPPER = re.compile(
    r"</?(?:p|div|span|center|font|section|article|header|footer|figure|figcaption|small|big|u|ins|mark|html|body)"
    r"(?:\s[^<>]{0,300})?/?>",
    re.IGNORECASE,
)
"""Tags that Markdown cannot show; their text is kept."""
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,15})(?:\s+[\w:-]{1,40}\s*=[^<>]*)?\s*/?>")
_STYLES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "s": "struck",
    "del": "struck",
    "sup": "raised",
    "sub": "lowered",
}
_NODE_STYLES = {"strong": "bold", "em": "italic", "s": "struck"}
_BOX = re.compile(r"\[([ xX])\][ \t]+")


def elements_of(answer: str, box: Box = _NOWHERE) -> list[Element]:
    """Returns the elements of an answer, in order, all with this box; none if it says that there is no text."""
    text = bare(clean(answer))
    if text.strip("`~ \n").lower() == NO_TEXT:
        return []
    held = _Held()
    tree = SyntaxTreeNode(_parser().parse(held.protected(text)))
    found = _Reader(held).blocks(tree.children)
    return [element.model_copy(update={"box": box, "source": "endpoint"}) for element in found]


def elements_as(kind: Kind, answer: str, box: Box) -> list[Element]:
    """Returns the elements of an answer for one element: of a formula also bare LaTeX, of a table only tables."""
    if kind == "formula":
        found = [
            Element(label=Label.FORMULA if _is_formula(spans) else Label.PARAGRAPH, box=box, spans=spans)
            for spans in displayed(_FENCE_LINE.sub("", bare(clean(answer))))
            if spans
        ]
        return [element.model_copy(update={"source": "endpoint"}) for element in found]
    elements = elements_of(answer, box)
    return [element for element in elements if element.label is Label.TABLE] if kind == "table" else elements


def _is_formula(spans: Sequence[Span]) -> bool:
    return len(spans) == 1 and spans[0].math


def bare(text: str) -> str:
    """Returns an answer without what some models put around it: their thoughts, front matter, and a fence around all
    of it, even one that was never closed. Code that is fenced with its language stays fenced."""
    for around in (_THOUGHT, _FRONT_MATTER):
        if found := around.match(text):
            text = text[found.end() :]
    text = text.strip()
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped is None or (_BARE_WRAPPED.match(text) and not _is_markdown(wrapped["inside"])):
        return text
    return wrapped["inside"]


def _is_markdown(inside: str) -> bool:
    """Whether what stands in a fence without a language is Markdown rather than code."""
    return re.search(r"^(?:#{1,6} |\|.*\|[ \t]*$|[-*] )|\*\*\S|<table", inside, re.MULTILINE) is not None


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"maxNesting": 20}).enable(["table", "strikethrough"])


@dataclass
class _Held:
    """What was taken out of the text, by number."""

    things: list[Element | Span] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    displayed: set[int] = field(default_factory=set)
    """Formulas that stand in lines of their own."""

    def protected(self, text: str) -> str:
        text = _OURS.sub("", text)
        parts: list[str] = []
        place = 0
        for code in _FENCED.finditer(text):
            parts += [self._prose(text[place : code.start()]), code.group()]
            place = code.end()
        return "".join([*parts, self._prose(text[place:])])

    def _prose(self, text: str) -> str:
        if not is_html(text):
            return self._formulas(text)
        return "".join(
            self._table(part) if is_table else f"\n\n{self._formulas(part)}\n\n" for is_table, part in tables_of(text)
        )

    def _table(self, html: str) -> str:
        held = [Element(label=Label.TABLE, box=_NOWHERE, cells=cells)] if (cells := cells_of(html)) else []
        if caption := caption_of(html):
            held.insert(0, Element(label=Label.CAPTION, box=_NOWHERE, spans=caption))
        return "".join(f"\n\n{self._hold(each, html)}\n\n" for each in held)

    def _formulas(self, text: str) -> str:
        text = _WRAPPER.sub("", _COMMENT.sub("", text))
        out: list[str] = []
        for segment in segments(text):
            if not segment.formula:
                out.append(segment.text)
                continue
            if segment.text.startswith("$$"):
                self.displayed.add(len(self.things))
            out.append(self._hold(span_of(segment, segment.text), segment.text))
        return "".join(out)

    def _hold(self, thing: Element | Span, raw: str) -> str:
        self.things.append(thing)
        self.raw.append(raw)
        return f"{_OPEN}{len(self.things) - 1}{_CLOSE}"

    def restored(self, text: str) -> str:
        """Returns code as it was written."""
        return _HELD.sub(lambda found: self.raw[int(found[1])], text)

    def element_in(self, text: str) -> Element | None:
        """Returns the element that a paragraph stands for, if it does."""
        found = _HELD.fullmatch(text.strip())
        thing = self.things[int(found[1])] if found else None
        return thing if isinstance(thing, Element) else None


class _Reader:
    """Walks the tree of an answer."""

    def __init__(self, held: _Held) -> None:
        self._held = held

    def blocks(self, nodes: Sequence[SyntaxTreeNode]) -> Iterator[Element]:
        for node in nodes:
            match node.type:
                case "heading":
                    yield from _made(Label.HEADING, self.spans(node), level=int(node.tag[1]))
                case "paragraph":
                    yield from self._paragraph(node)
                case "fence" | "code_block":
                    yield from _made(Label.CODE, [Span(text=self._held.restored(node.content).strip("\n"))])
                case "bullet_list" | "ordered_list":
                    yield from self._list(node, 1)
                case "table":
                    yield from self._table(node)
                case "html_block":
                    yield from _made(Label.PARAGRAPH, self._plain(node.content))
                case _:
                    yield from self.blocks(node.children)

    def _paragraph(self, node: SyntaxTreeNode) -> Iterator[Element]:
        inline = node.children[0]
        if element := self._held.element_in(inline.content):
            yield element
            return
        if all(child.type in ("image", "softbreak") for child in inline.children):
            for child in inline.children:
                if child.type == "image":
                    alt = [Span(text=child.content)] if child.content else []
                    yield Element(label=Label.FIGURE, box=_NOWHERE, spans=alt)
            return
        yield from self._parted(self.spans(node))

    def _parted(self, spans: Sequence[Span]) -> Iterator[Element]:
        """The paragraph, parted at formulas that stand in lines of their own."""
        shown = {id(self._held.things[number]) for number in self._held.displayed}
        words: list[Span] = []
        for span in spans:
            if id(span) in shown:
                yield from _made(Label.PARAGRAPH, _trimmed(words))
                yield from _made(Label.FORMULA, [span])
                words = []
            else:
                words.append(span)
        yield from _made(Label.FORMULA if _is_formula(words) else Label.PARAGRAPH, _trimmed(words))

    def _list(self, node: SyntaxTreeNode, level: int) -> Iterator[Element]:
        for item in node.children:
            marker = f"{item.info}{item.markup}" if node.type == "ordered_list" and item.info else "-"
            is_first = True
            for child in item.children:
                if child.type in ("bullet_list", "ordered_list"):
                    yield from self._list(child, level + 1)
                elif child.type == "paragraph" and is_first and not self._held.element_in(child.children[0].content):
                    yield from self._item(child, marker, level)
                else:
                    yield from self.blocks([child])
                is_first = False

    def _item(self, node: SyntaxTreeNode, marker: str, level: int) -> Iterator[Element]:
        spans = self.spans(node)
        if spans and (box := _BOX.match(spans[0].text)):
            marker = f"[{box[1].lower()}]"
            spans = [spans[0].model_copy(update={"text": spans[0].text[box.end() :]}), *spans[1:]]
        yield from _made(Label.LIST_ITEM, spans, level=level, marker=marker)

    def _table(self, node: SyntaxTreeNode) -> Iterator[Element]:
        rows = [row for section in node.children for row in section.children]
        cells = [
            Cell(row=number, column=column, header=cell.type == "th", spans=self.spans(cell))
            for number, row in enumerate(rows)
            for column, cell in enumerate(row.children)
        ]
        if any(cell.spans for cell in cells):
            yield Element(label=Label.TABLE, box=_NOWHERE, cells=cells)

    # ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def spans(self, node: SyntaxTreeNode) -> list[Span]:
        """The text of a block's inline content, equal neighbours joined."""
        found: list[Span] = []
        for child in node.children:
            if child.type == "inline":
                _Inline(self._held, found).take(child.children, Span(text=""))
        kept = [span if span.math or span.mono else _flowing(span) for span in _joined(found)]
        return _trimmed([span for span in kept if span.text])

    def _plain(self, html: str) -> list[Span]:
        text = " ".join(_TAG.sub(" ", self._held.restored(html)).split())
        return [Span(text=text)] if text else []


class _Inline:
    """Appends the spans of inline nodes to `out`; HTML tags change the style of what follows them."""

    def __init__(self, held: _Held, out: list[Span]) -> None:
        self._held = held
        self._out = out
        self._tags: dict[str, bool] = {}

    def take(self, nodes: Sequence[SyntaxTreeNode], style: Span) -> None:
        for node in nodes:
            match node.type:
                case "text":
                    self._text(node.content, style)
                case "softbreak" | "hardbreak":
                    self._add("\n" if node.type == "softbreak" else "\u2028", style)
                case "code_inline":
                    self._add(self._held.restored(node.content), style.model_copy(update={"mono": True}))
                case "html_inline":
                    self._tag(node.content, style)
                case "link":
                    self.take(node.children, style.model_copy(update={"link": str(node.attrs.get("href", ""))}))
                case "image":
                    continue
                case kind if kind in _NODE_STYLES:
                    self.take(node.children, style.model_copy(update={_NODE_STYLES[kind]: True}))
                case _:
                    self._text(node.content, style)

    def _text(self, text: str, style: Span) -> None:
        place = 0
        for found in _HELD.finditer(text):
            self._add(text[place : found.start()], style)
            thing = self._held.things[int(found[1])]
            if isinstance(thing, Span):
                self._out.append(thing)
            else:
                self._add(thing.text, style)
            place = found.end()
        self._add(text[place:], style)

    def _tag(self, raw: str, style: Span) -> None:
        found = _TAG.fullmatch(raw)
        name = found[2].lower() if found else ""
        if name == "br":
            self._add("\u2028", style)
        elif found and name in _STYLES:
            self._tags[_STYLES[name]] = not found[1]
        else:
            self._add(raw, style)

    def _add(self, text: str, style: Span) -> None:
        if text:
            self._out.append(style.model_copy(update={"text": text, **self._tags_on()}))

    def _tags_on(self) -> dict[str, bool]:
        return {style: True for style, is_on in self._tags.items() if is_on}


def _made(label: Label, spans: Sequence[Span], level: int = 0, marker: str = "") -> Iterator[Element]:
    if any(span.text.strip() for span in spans):
        yield Element(label=label, box=_NOWHERE, spans=list(spans), level=level, marker=marker)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Joins neighbours of one style; formulas stay apart."""
    joined: list[Span] = []
    for _, group in groupby(enumerate(spans), lambda each: (each[0] if each[1].math else -1, _style(each[1]))):
        first, *rest = (span for _, span in group)
        text = "".join(span.text for span in rest)
        joined.append(first.model_copy(update={"text": first.text + text}) if text else first)
    return joined


def _style(span: Span) -> tuple[object, ...]:
    return (span.bold, span.italic, span.mono, span.struck, span.raised, span.lowered, span.link)


def _flowing(span: Span) -> Span:
    """Joins the lines of a text; breaks that are meant stay."""
    text = without_breaks(re.sub(r"[^\S\n\u2028]+", " ", span.text))
    return span.model_copy(update={"text": re.sub(r" ?\u2028 ?", "\n", text)})


def _trimmed(spans: list[Span]) -> list[Span]:
    """Without space at both ends."""
    if spans and not spans[0].math:
        spans[0] = spans[0].model_copy(update={"text": spans[0].text.lstrip()})
    if spans and not spans[-1].math:
        spans[-1] = spans[-1].model_copy(update={"text": spans[-1].text.rstrip()})
    return [span for span in spans if span.text]
