"""The process of the attempts: in a fork of this one, and with functions that start processes."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")

FORKED = """
import multiprocessing
import torch
import minigpt as mg

def answer(z):
    return torch.softmax(z, -1)

def child(queue):
    queue.put(bool(mg.check.softmax(answer)))

assert mg.check.softmax(answer)
fork = multiprocessing.get_context("fork")
queue = fork.SimpleQueue()
children = [fork.Process(target=child, args=(queue,)) for _ in range(2)]
for each in children:
    each.start()
for each in children:
    each.join(50)
    assert each.exitcode == 0, each.exitcode
assert queue.get() and queue.get()
assert mg.check.softmax(answer)
"""


def test_forks_of_this_process_have_a_process_of_their_own(tmp_path):
    script = tmp_path / "forked.py"
    script.write_text(FORKED, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
