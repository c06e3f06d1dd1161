from hypothesis import given
from hypothesis import strategies as st
from pdfbatch.runs.markdown import Anchor, anchors, assemble, main_reason

from pdfbatch.records import PageResult, Reason

texts = st.text() | st.sampled_from(["<!-- page 7 -->", "  <!-- page 1: corrupt -->\nx", "<!-- page 2", "# A\n\n|a|b|"])
pages = st.lists(st.tuples(texts, st.none() | st.sampled_from(Reason)), max_size=8).map(
    lambda drawn: [PageResult(number=n, markdown=t, reason=r) for n, (t, r) in enumerate(drawn, start=1)]
)


@given(pages)
def test_anchors_read_back_are_the_pages_whatever_the_pages_say(drawn: list[PageResult]) -> None:
    assert anchors(assemble(drawn)) == [Anchor(page.number, page.reason) for page in drawn]


def test_an_unread_page_keeps_its_place() -> None:
    drawn = [PageResult(number=1, markdown="One"), PageResult(number=2, reason=Reason.TIMEOUT), PageResult(number=3)]
    assert assemble(drawn) == "<!-- page 1 -->\n\nOne\n\n<!-- page 2: timeout -->\n\n<!-- page 3 -->\n"


def test_the_main_reason_is_the_commonest() -> None:
    assert main_reason([Reason.CRASHED, Reason.TIMEOUT, Reason.TIMEOUT]) is Reason.TIMEOUT
