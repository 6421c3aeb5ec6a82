"""Freed memory kept for what comes next, where the C library lets itself be asked to.

Knows glibc's allocator and nothing else. No result depends on it.
"""

from __future__ import annotations

import ctypes
import sys

KEPT = 512 << 20
"""Bytes that may lie free at the end of a process's memory before they are handed back to the system."""

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST_MMAP_THRESHOLD = 32 << 20


def keep_freed() -> bool:
    """Keep up to KEPT bytes of freed memory in this process; whether the C library took it.

    glibc hands large blocks back to the system when they are freed, and a training step, or a film, then
    pays for fresh pages again and again: a sixth of a training step's time where pages are dear.
    """
    if sys.platform != "linux":
        return False
    try:
        ask = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    settings = ((_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD), (_TRIM_THRESHOLD, KEPT), (_TOP_PAD, 16 << 20))
    return all(ask(name, value) == 1 for name, value in settings)
