import os
import subprocess
import sys

import pytest

from minigpt.train import allocator

TOUCH = """
import resource, torch
from minigpt.train.allocator import keep_freed_memory
if {keeps}:
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    blocks = [torch.ones(3_000_000) for _ in range(4)]  # 12 MB each
step(); step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the memory of glibc, which is Linux's")
def test_freed_memory_is_used_again_without_new_pages():
    counts = []
    for keeps in (False, True):
        command = [sys.executable, "-c", TOUCH.format(keeps=keeps)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
        counts.append(int(done.stdout))
    assert counts[1] < 0.1 * counts[0]


def test_another_c_library_is_left_alone(monkeypatch):
    def without_mallopt(name):
        raise OSError("no such library")

    monkeypatch.setattr(allocator.ctypes, "CDLL", without_mallopt)
    assert allocator.keep_freed_memory() is False
