"""Freed memory stays with the process that is asked to keep it."""

import subprocess
import sys

import pytest

FREED = """
import ctypes, resource, sys
from xemplar.memory import keep_freed
if {asked} and not keep_freed():
    sys.exit("not taken")
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
for _ in range(20):
    blocks = [libc.malloc(24 << 20) for _ in range(4)]
    for block in blocks:
        ctypes.memset(block, 1, 24 << 20)
    for block in blocks:
        libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(asked: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FREED.format(asked=asked)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc alone")
def test_what_is_freed_is_used_again_without_fresh_pages():
    """20 times 96 MB: handed back each time unless asked, as the second process shows."""
    once = 4 * 24 * 256
    assert faults(asked=True) < 3 * once < 10 * once < faults(asked=False)
