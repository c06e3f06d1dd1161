from pdfbatch.documents.layout.items import are_references, items_of
from pdfbatch.documents.textlayer.unwrap import Row
from tests.documents.test_elements import region
from tests.documents.test_unwrap import line
from tests.pages import regions_markdown


def rows(*texts: str) -> list[Row]:
    return [[line(text, y=14 * number)] for number, text in enumerate(texts)]


def begun(*texts: str) -> list[str]:
    return [item[0][0].text for item in items_of(rows(*texts))]


def test_an_initial_at_the_start_of_a_line_does_not_begin_an_item():
    assert begun("[9] D. Ward, M. Mirza, and", "Y. Bengio. Maxout", "I. J. Good, 2013.") == [
        "[9] D. Ward, M. Mirza, and"
    ]


def test_letters_that_count_up_are_numbers():
    assert begun("A. One", "B. Two", "C. Three") == ["A. One", "B. Two", "C. Three"]
    assert begun("III. Three", "IV. Four", "V. Five") == ["III. Three", "IV. Four", "V. Five"]


def test_references_that_count_up_begin_items_and_citations_do_not():
    assert begun("[6] L. Chen", "[2] and others", "[7] L. Chen") == ["[6] L. Chen", "[7] L. Chen"]


def test_a_paragraph_of_references_is_a_list():
    made = region("text", *(row[0] for row in rows("[39] A. Smith. One.", "[40] K. Jones. Two.")))
    assert regions_markdown([made]) == "[39] A. Smith. One.\n\n[40] K. Jones. Two."


def test_a_paragraph_that_begins_with_a_citation_is_not_a_list():
    assert not are_references(rows("[3] showed that", "[12] was wrong."))
