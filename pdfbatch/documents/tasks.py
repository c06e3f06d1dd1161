"""What a child process can be asked to do. The heavy libraries are imported in the child alone: this process, which
only hands out the tasks, stays small and starts fast."""

from pdfbatch.documents.judgement import Judgement
from pdfbatch.documents.page_read import PageRead
from pdfbatch.records import ReadOptions


def judge_file(path: str) -> Judgement:
    """Opens a local file and judges it by its content."""
    from pdfbatch.documents.judge import judge

    return judge(path)


def sample_layers(path: str) -> tuple[int, int]:
    """Looks at some pages of a local file: how many have a text layer worth reading, of how many."""
    from pdfbatch.documents.layer_sample import sample_layers

    return sample_layers(path)


def read_page(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:  # noqa: ARG001
    """Reads one page (from 1) of a local PDF by its text layer or, where that is not healthy, by OCR. `attempt` is that
    of the order, see engines/base.py."""
    from pdfbatch.documents.reading import read_page

    return read_page(path, number, attempt=attempt)
