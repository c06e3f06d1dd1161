"""A page's score is the product of its doubts."""

import pytest

from pdfbatch.documents.sight.score import mean_over_letters, page_score


@pytest.mark.parametrize(
    ("factors", "score"),
    [
        ((1, 1, 1, 1), 1.0),
        ((0.5, 1, 1, 1), 0.5),
        ((0.9, 0.9, 1, 0.5), 0.4),
        ((1.2, 1, 1, 1), 1.0),
        ((1, -1, 1, 1), 0.0),
    ],
)
def test_each_doubt_lowers_the_score(factors, score):
    assert page_score(*factors) == pytest.approx(score, abs=0.01)


def test_long_lines_count_more():
    assert mean_over_letters([(90, 1.0), (10, 0.5)]) == pytest.approx(0.95)
    assert mean_over_letters([]) == 1.0
