import pytest

from pdfbatch.engines.answers.formulas import display
from pdfbatch.engines.answers.prose import clean, paragraphs
from pdfbatch.records import Span


def shown(text: str) -> str:
    """The paragraphs with blank lines between, formulas between dollars, in lines of their own where they are alone."""
    return "\n\n".join(_shown(spans) for spans in paragraphs(clean(text)))


def _shown(spans: list[Span]) -> str:
    if len(spans) == 1 and spans[0].math:
        return f"$$\n{spans[0].text}\n$$"
    return "".join(f"${span.text}$" if span.math else span.text for span in spans)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One  line\nand\tanother.", "One line and another."),
        ("One.\n\n \nTwo.", "One.\n\nTwo."),
        ("A hyphen-\nated word", "A hyphenated word"),
        ("A hyphen- ated word", "A hyphen- ated word"),
        ("A well-known one", "A well-known one"),
        ("A well-\nknown one", "A well-known one"),
        ("State-of-the-\nart", "State-of-the-art"),
        ("Jean-\nLuc in 2019-\n2020", "Jean-Luc in 2019-2020"),
        ("A soft\u00ad\nly broken one", "A softly broken one"),
        ("A dash -\nlike this", "A dash - like this"),
        ("漢字\n漢字。\n「漢」", "漢字漢字。「漢」"),
        ("漢字\nand more", "漢字 and more"),
        ("한국어\n한국어", "한국어 한국어"),
        ("e\u0301", "é"),
        ("Nul\x00 and\x0bline\u2028ends\r\nof all\rkinds", "Nul and line ends of all kinds"),
        (r"\author{A. Smith}", "A. Smith"),
        (r"\begin{abstract}We show it.\end{abstract}", "We show it."),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_lines_of_a_paragraph_are_joined(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"Let \( \alpha \) be", r"Let $\alpha$ be"),
        ("Let $ x $ and $y_1$ be", "Let $x$ and $y_1$ be"),
        ("a $x <\ny* - z*$ b", "a $x < y* - z*$ b"),
        ("a non-\n$p$-adic", "a non-$p$-adic"),
        (r"so \[ a = b \] holds", r"so $a = b$ holds"),
        ("\\[\na = b\n\n+ c\n\\]", "$$\na = b\n+ c\n$$"),
        ("\\begin{array}{c} a \\\\ b \\end{array}", "$$\n\\begin{array}{c} a \\\\ b \\end{array}\n$$"),
        ("It costs $5 and $10, or \\$3", "It costs $5 and $10, or \\$3"),
        ("It costs $5 and $x$ is", "It costs $5 and $x$ is"),
        (r"\cdots \leqslant \pmod \mu lti", r"\cdots \leqslant \pmod \mu lti"),
        (r"so $\cdots\leqslant\pmod{n}\in fty$", r"so $\cdots\leqslant\pmod{n}\in fty$"),
        (r"\( \text{is $x$} \)", r"\( \text{is $x$} \)"),
        ("so \\( a\\ \\)", r"so $a\ {}$"),
        (r"never \( closed", r"never \( closed"),
    ],
)
def test_formulas_in_text_are_found_and_otherwise_unchanged(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = b", "$$\na = b\n$$"),
        ("$$a = b$$", "$$\na = b\n$$"),
        ("$$\na = b\n$$", "$$\na = b\n$$"),
        (r"\[ a = b \]", "$$\na = b\n$$"),
        (r"\( a = b \)", "$$\na = b\n$$"),
        ("$a = b$", "$$\na = b\n$$"),
        (r"a \text{ if $x$}", "a \\text{ if $x$}"),
        (r"$$a \text{ if $x$}$$", "$$\na \\text{ if $x$}\n$$"),
        (r"$$a = b \tag{3}$$", "$$\na = b \\tag{3}\n$$"),
        ("$$a = b$$ (3.1a)", "$$\na = b \\tag{3.1a}\n$$"),
        ("$$a\n\n= b \\\\\n c$$", "$$\na\n= b \\\\\n c\n$$"),
        ("$$a = b$$, (3)", "$$\na = b, \\tag{3}\n$$"),
        (r"\[a = b\].", "$$\na = b.\n$$"),
        ("$$a$$\n$$b$$", "$$\na\n$$\n\n$$\nb\n$$"),
        ("$a$, where $b$", "$a$, where $b$"),
        (r"\[ a = b", "$$\na = b\n$$"),
        (r"\cdots \leqslant \pmod 3 < 5 * 2", "$$\n\\cdots \\leqslant \\pmod 3 < 5 * 2\n$$"),
        ("$$$$", ""),
        ("$$ $$", ""),
        ("", ""),
    ],
)
def test_formulas_of_their_own(text: str, expected: str) -> None:
    assert "\n\n".join(display(text)) == expected
