"""What is preloaded in the children of a test's own process: everything a worker's children have, and the tasks."""

import pdfbatch.documents.preload  # noqa: F401
import tests.worker.page_tasks  # noqa: F401
