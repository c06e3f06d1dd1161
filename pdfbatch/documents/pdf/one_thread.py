"""One thread for each inference session: a child process is the unit of parallelism here.

pymupdf's layout model and rapidocr leave onnxruntime's default, a thread for every core in every process, and then
the children fight for the cores. pymupdf cannot be asked for another number, so it is set on the class that the
sessions' options are made with.
"""

from __future__ import annotations

import os


def use_one_thread() -> None:
    """Make every session of this process run in the calling thread; call it before one is made. Safe to call again."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # read once by numpy when it is first imported
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # since 1.31 it reports to its maker otherwise
    import onnxruntime

    plain = onnxruntime.SessionOptions
    if getattr(plain, "one_thread", False):
        return

    class OneThread(plain):  # type: ignore[misc,valid-type]
        one_thread = True

        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1
            self.inter_op_num_threads = 1

    onnxruntime.SessionOptions = OneThread
