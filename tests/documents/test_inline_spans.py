from pdfbatch.documents.layout.inline import plain_spans, spans_of
from pdfbatch.documents.textlayer.lines import Piece
from pdfbatch.records import Span


def test_neighbours_of_one_style_are_one_span():
    pieces = [Piece("Who", bold=True), Piece(" ", bold=False), Piece("knows?", bold=True), Piece(" Nobody.")]
    assert spans_of(pieces) == [Span(text="Who knows?", bold=True), Span(text=" Nobody.")]


def test_a_superscript_is_a_span_of_its_own():
    pieces = [Piece("Karpukhin", bold=True), Piece("2", raised=True), Piece(", Oguz", bold=True)]
    assert spans_of(pieces) == [
        Span(text="Karpukhin", bold=True),
        Span(text="2", raised=True),
        Span(text=", Oguz", bold=True),
    ]


def test_blanks_are_single_and_none_stand_at_the_ends():
    assert spans_of([Piece("  one  "), Piece(" two ", bold=True), Piece("  ")]) == [
        Span(text="one "),
        Span(text="two", bold=True),
    ]


def test_a_heading_needs_no_bold():
    assert plain_spans([Piece("A", bold=True), Piece(" b", italic=True)]) == [Span(text="A b")]
