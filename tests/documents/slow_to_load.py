"""A task whose module takes long to load, as everything does on a busy machine."""

import time

time.sleep(1.5)


def double(number: int) -> int:
    return 2 * number
