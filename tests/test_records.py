"""What is written can be read back."""

from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.records import Element, Label, PageResult, Span

characters = st.characters(codec=None) | st.sampled_from("\ud800\udfff\x00\u2028\ufffd")


@given(st.text(characters, max_size=20), st.text(characters, max_size=9))
def test_a_page_of_any_text_is_read_back_as_it_was_written(text: str, link: str) -> None:
    element = Element(label=Label.PARAGRAPH, box=(0, 0, 1, 1), spans=[Span(text=text, link=link)])
    page = PageResult(number=1, elements=[element], detail=text)
    assert PageResult.model_validate_json(page.model_dump_json(exclude_defaults=True)) == page
