"""The engine for machines without a GPU: text layers by layout, scanned pages by OCR, all in child processes."""

from pdfbatch.documents.tasks import read_page
from pdfbatch.engines.base import ChildEngine


class CpuEngine(ChildEngine):
    def __init__(self) -> None:
        super().__init__("cpu", read_page)
