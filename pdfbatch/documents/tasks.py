"""The tasks of a child process. Only the child imports the heavy libraries, so the parent stays small and starts
fast."""

from pdfbatch.documents.judgement import Judgement, PagePicture
from pdfbatch.documents.page_read import PageRead
from pdfbatch.records import ReadOptions


def judge_file(path: str) -> Judgement:
    """Open a local file and judge it by its content."""
    from pdfbatch.documents.judge import judge

    return judge(path)


def sample_layers(path: str) -> tuple[int, int]:
    """Sample some pages of a local file: how many have a text layer worth reading, and how many were sampled."""
    from pdfbatch.documents.layer_sample import sample_layers

    return sample_layers(path)


def read_page(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    """Read one page (from 1) of a local PDF by its text layer or, if that is unhealthy, by OCR. For `attempt` see
    engines/base.py."""
    from pdfbatch.documents.reading import read_page
    from pdfbatch.documents.sorting import Sorting

    return read_page(path, number, Sorting(triage=options.triage), attempt)


def picture_page(path: str, number: int, rotation: int, side: int) -> PagePicture:
    """Draw one page (from 1) of a local file as a picture for a person; see page_picture.py."""
    from pdfbatch.documents.page_picture import page_picture

    return page_picture(path, number, rotation, side)


def page_png(path: str, number: int, dpi: float, rotation: int) -> bytes:
    """Draw one page (from 1) of a local file upright, as a PNG file. Raises an exception if it cannot be drawn."""
    from pdfbatch.documents.page_picture import page_png

    return page_png(path, number, dpi, rotation)
