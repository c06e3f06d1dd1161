from pdfbatch.documents.layout.inline import plain_spans, spans_of
from pdfbatch.documents.textlayer.lines import LinePiece
from pdfbatch.records import Span


def test_neighbours_of_the_same_style_are_one_span():
    pieces = [
        LinePiece("Who", bold=True),
        LinePiece(" ", bold=False),
        LinePiece("knows?", bold=True),
        LinePiece(" Nobody."),
    ]
    assert spans_of(pieces) == [Span(text="Who knows?", bold=True), Span(text=" Nobody.")]


def test_a_superscript_is_a_span_of_its_own():
    pieces = [LinePiece("Karpukhin", bold=True), LinePiece("2", raised=True), LinePiece(", Oguz", bold=True)]
    assert spans_of(pieces) == [
        Span(text="Karpukhin", bold=True),
        Span(text="2", raised=True),
        Span(text=", Oguz", bold=True),
    ]


def test_blanks_are_single_and_stripped_at_the_ends():
    assert spans_of([LinePiece("  one  "), LinePiece(" two ", bold=True), LinePiece("  ")]) == [
        Span(text="one "),
        Span(text="two", bold=True),
    ]


def test_a_heading_is_not_bold():
    assert plain_spans([LinePiece("A", bold=True), LinePiece(" b", italic=True)]) == [Span(text="A b")]


def test_punctuation_is_bold_only_between_bold_words():
    pieces = [LinePiece("F("), LinePiece("x", bold=True), LinePiece(", {"), LinePiece("W"), LinePiece("})")]
    assert spans_of(pieces) == [Span(text="F("), Span(text="x", bold=True), Span(text=", {W})")]


def test_a_comma_beside_a_superscript_is_not_raised():
    pieces = [LinePiece("Zhang"), LinePiece("2", raised=True), LinePiece(", Melissa")]
    assert spans_of(pieces) == [Span(text="Zhang"), Span(text="2", raised=True), Span(text=", Melissa")]
    assert spans_of([LinePiece("Shen"), LinePiece("1", raised=True), LinePiece(", ")])[-1] == Span(text=",")


def test_the_full_stop_after_a_url_is_not_part_of_it():
    uri = "https://a.example"
    assert spans_of([LinePiece("See "), LinePiece(f"{uri}.", link=uri)]) == [
        Span(text="See "),
        Span(text=uri, link=uri),
        Span(text="."),
    ]
