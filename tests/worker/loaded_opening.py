"""What is preloaded in the children of `slice_process`: the tasks, and what opens a PDF."""

import pdfbatch.documents.preload_opening  # noqa: F401
import tests.worker.page_tasks  # noqa: F401
