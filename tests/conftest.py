"""What all tests share: one table of tolerances by dtype, and one seed."""

import math
import os
import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports triton: our kernels then run on the CPU

torch.set_num_threads(1)  # the tests' tensors are too small to share, and waiting for a second core costs more

# Relative to the largest magnitude expected. float64: rounding of a few hundred sums; float32 and below: a few units in
# the last place, times the square root of the length of a sum.
TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}


@pytest.fixture
def assert_near():
    """Compare with an expected value computed in float64, by the tolerance of the dtype under test."""

    def check(actual, expected, scale=1.0):
        actual, expected = actual.detach(), expected.detach()
        bound = TOLERANCES[actual.dtype] * scale * max(1.0, float(expected.abs().max()) if expected.numel() else 1.0)
        torch.testing.assert_close(actual.double(), expected.double(), rtol=0, atol=bound)

    return check


class NothingAsLargeAs(TorchDispatchMode):
    """Refuses to make a tensor of ``limit`` numbers or more, and remembers how large those are that it made."""

    def __init__(self, limit=math.inf):
        super().__init__()
        self.limit, self.sizes = limit, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        given, got = ([t for t in tree_leaves(x) if isinstance(t, torch.Tensor)] for x in ((args, kwargs), result))
        known = {t.untyped_storage()._cdata for t in given}
        for tensor in (t for t in got if t.untyped_storage()._cdata not in known):
            self.sizes.add(tensor.numel())
            assert tensor.numel() < self.limit, f"{function} made {tuple(tensor.shape)}"
        return result


@pytest.fixture
def nothing_as_large_as():
    """A context in which no large tensor may be made."""
    return NothingAsLargeAs


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def torchrun():
    """Run a script, or ``-m module``, on several processes of this machine; return what they print.

    On its way out torchrun ends the processes that it started.
    """

    if sys.platform == "win32":
        pytest.skip("Windows has no torchrun on the loopback interface alone")

    def run(n_processes, *words, expect=0, options=(), timeout=300):
        alone = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", str(n_processes)]
        command = [sys.executable, "-m", "torch.distributed.run", *alone, *options, *map(str, words)]
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        here = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": loopback, "PYTHONPATH": os.pathsep.join(sys.path)}
        agent = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **here}
        )
        try:
            printed, _ = agent.communicate(timeout=timeout)
        finally:
            agent.terminate()
            agent.wait()
        assert agent.returncode == expect, printed
        return printed

    return run
