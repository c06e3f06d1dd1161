"""The engine of a machine without a GPU: text layers by layout, scanned pages by OCR, all in the children."""

from pdfbatch.documents.tasks import read_page
from pdfbatch.engines.base import PageTask


class CpuEngine:
    name = "cpu"

    @property
    def page_task(self) -> PageTask:
        return read_page
