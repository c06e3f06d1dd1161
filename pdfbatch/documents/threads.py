"""How inference sessions run in a child process: in one thread, and with memory they keep.

pymupdf's layout model and rapidocr leave onnxruntime's default, a thread for every core in every process, and then
the children fight for the cores. pymupdf also gives all memory back after each run, which costs a quarter of the time
of its picture model (page faults); a child's memory is limited and a child is short-lived, so it may keep it.
Neither can be asked for, so it is set on the class that the sessions' options are made with.
"""

from __future__ import annotations

import os


def use_one_thread() -> None:
    """Set this process up so; call it before a session is made. Safe to call again."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # read once by numpy when it is first imported
    import onnxruntime

    plain = onnxruntime.SessionOptions
    if getattr(plain, "one_thread", False):
        return

    class OneThread(plain):  # type: ignore[misc,valid-type]
        one_thread = True
        enable_cpu_mem_arena = property(lambda _: True, lambda _, __: None)

        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1
            self.inter_op_num_threads = 1

    onnxruntime.SessionOptions = OneThread
