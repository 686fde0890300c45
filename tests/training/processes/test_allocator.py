import os
import subprocess
import sys

import pytest

from minigpt.training.processes import allocator

FREE_48_MB = """
import ctypes, torch
from minigpt.training.processes.allocator import keep_freed_memory

class Mallinfo2(ctypes.Structure):  # mallinfo(3)
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Mallinfo2
assert keep_freed_memory()
blocks = [torch.ones(3_000_000) for _ in range(4)]  # 12 MB each
del blocks
print(mallinfo2().fordblks)
"""


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="the memory of glibc")
def test_freed_memory_stays_with_the_process():
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run([sys.executable, "-c", FREE_48_MB], capture_output=True, text=True, check=True, env=settings)
    assert int(done.stdout) >= 48e6  # what was freed


def test_another_c_library_is_left_alone(monkeypatch):
    def without_mallopt(name):
        raise OSError("no such library")

    monkeypatch.setattr(allocator.ctypes, "CDLL", without_mallopt)
    assert allocator.keep_freed_memory() is False
