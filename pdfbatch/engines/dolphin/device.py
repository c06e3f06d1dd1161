"""What is peculiar to the device that computes: how it says that its memory is short, and how memory is given back."""

from __future__ import annotations

_OUT_OF_MEMORY_WORDS = ("can't allocate memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA's allocator has a class for it and numpy another; the CPU's allocator and CUDA's libraries only say so."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY_WORDS)


def empty_cache(device: object) -> None:
    """Gives unused blocks back to the device, so that they can be cut anew."""
    import torch

    if "cuda" in str(device):
        torch.cuda.empty_cache()
