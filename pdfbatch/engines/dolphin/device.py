"""Device specifics: how it reports that memory ran out, and how cached memory is released."""

from __future__ import annotations

_OUT_OF_MEMORY_WORDS = ("can't allocate memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out. CUDA's allocator and numpy have a class for it; the CPU's allocator
    and CUDA's libraries only say so in the message."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY_WORDS)


def empty_cache(device: object) -> None:
    """Returns unused cached blocks to the device, which avoids fragmentation."""
    import torch

    if "cuda" in str(device):
        torch.cuda.empty_cache()
