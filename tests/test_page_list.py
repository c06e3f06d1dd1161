"""The list of pages to read again, between `view` and `retry-failures`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.records import page_list, read_page_list

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.dictionaries(KEYS, st.sampled_from(["1", "1-3,7", "5-", ""])))
def test_a_list_is_read_as_it_was_written(pages: dict[str, str]) -> None:
    assert read_page_list(page_list(pages, "why")) == pages


def test_a_list_may_be_written_by_hand() -> None:
    text = "# mine\r\n\r\na.pdf\t3, 1-2\r\nb c.pdf\nd.pdf\t4\nd.pdf\t2\ne.pdf\ne.pdf\t1\n"
    assert read_page_list(text) == {"a.pdf": "1-3", "b c.pdf": "", "d.pdf": "2,4", "e.pdf": ""}


@pytest.mark.parametrize("line", ["a.pdf\tx", "a.pdf\t0", '"a.pdf\t1', "[1]\t1-0", '"\\q"\t1'])
def test_a_line_that_is_no_list_of_pages_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2: "):
        read_page_list(f"a.pdf\t1\n{line}\n")
