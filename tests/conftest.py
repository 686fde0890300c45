"""What all tests share: one table of tolerances by dtype, one seed, one thread, one order for several workers."""

import gc
import math
import os
import re
import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports triton: our kernels then run on the CPU

# One thread: the tests' tensors are too small to share, and waiting for a second core costs more. The variable says the
# same to the kernels of the notebooks and to all other processes that tests start.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Thousands of tests stay in memory, and Python looks for garbage among them often: that is a twentieth of the time.
gc.set_threshold(50_000, 20, 50)

# What is printed follows the locale; the tests read English where they do not say otherwise.
os.environ["LC_ALL"] = "C.UTF-8"

# `make test` runs several workers (`pytest -n`), which take one file after another: a fixture that the tests of a file
# share is then built once. Some files share more than a fixture, and run on one worker:
TOGETHER = {
    # Both run docs/conf.py, which copies the notebooks to docs/tutorials.
    "tests/docs/test_site.py": "the site",
    "tests/docs/test_translations.py": "the site",
    # Importing torch.compile takes some seconds.
    "tests/kernels/test_pytorch.py": "torch.compile",
    "tests/training/execution/test_blocks.py": "torch.compile",
}
# The tests of this file share nothing, and each may take longer than many a file: any worker takes any of them.
ONE_BY_ONE = ("tests/notebooks/test_notebooks.py",)
# The files that take longest run first; otherwise one worker would still be busy with one when the others are done.
LONGEST = (
    "tests/docs/test_site.py",
    "tests/docs/test_translations.py",
    "tests/notebooks/test_notebooks.py",
    "tests/training/execution/test_blocks.py",
    "tests/kernels/test_pytorch.py",
    "tests/cli/test_commands.py",
    "tests/equations/test_twins.py",
    "tests/test_types.py",
    "tests/docs/test_snippets.py",
    "tests/training/processes/test_distributed.py",
    "tests/kernels/test_fused_cross_entropy.py",
    "tests/test_packaging.py",
    "tests/kernels/test_fused_attention.py",
    "tests/equations/test_mutants.py",
    "tests/bench/compiled/test_inspection.py",
    "tests/text/tokenizers/test_byte_pairs.py",
    "tests/equations/test_registry.py",
    "tests/faults/test_kills.py",
    "tests/kernels/test_kernel_tuning.py",
    "tests/text/shards/test_streams.py",
    "tests/faults/test_full_disk.py",
    "tests/text/shards/test_preparation.py",
    "tests/text/tinyworld/test_tasks.py",
)

# Relative to the largest magnitude expected. float64: rounding of a few hundred sums; float32 and below: a few units in
# the last place, times the square root of the length of a sum.
TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist, there is no such hook
def pytest_xdist_make_scheduler(config, log):
    """Give the workers one file after another, with the exceptions above.

    A mark (``xdist_group``) could say the same, but xdist would add the group to the name of every test, and the names
    of tests that fail could not be given to pytest again.
    """
    from xdist.scheduler import LoadScopeScheduling

    if config.getvalue("dist") != "load":  # another order is asked for with --dist
        return None

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return nodeid if file in ONE_BY_ONE else TOGETHER.get(file, file)

    if gone := [file for file in (*TOGETHER, *ONE_BY_ONE, *LONGEST) if not (config.rootpath / file).is_file()]:
        raise pytest.UsageError(f"tests/conftest.py names files that do not exist: {', '.join(gone)}")
    config.option.loadscopereorder = False  # by the number of tests
    return Files(config, log)


def pytest_collection_modifyitems(config, items):
    """Put the longest first, on each of several workers."""
    if hasattr(config, "workerinput"):
        places = {file: place for place, file in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


def pytest_terminal_summary(terminalreporter):
    """Print the largest errors of the kernels, which their tests note in their reports, on whichever worker."""
    noted = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "largest errors" and report.when == "call"
    ]
    if not noted:
        return
    terminalreporter.write_line(f"Fused attention, {len(noted)} cases: largest error / bound, against float64")
    worst = {}
    for dtype, errors in noted:
        row = worst.setdefault(dtype, {})
        for name, figures in errors.items():
            row[name] = max(row.get(name, figures), figures)
    for dtype, row in worst.items():
        line = "   ".join(f"{name} {error:.1e} / {bound:.0e}" for name, (error, bound) in row.items())
        terminalreporter.write_line(f"  {dtype:9}{line}")


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


@pytest.fixture
def in_chinese(monkeypatch):
    """Print Chinese. Returns a function of a text: the English words that are in it all the same, of four letters."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    return lambda text: set(re.findall(r"[a-z]{4,}", text))


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
