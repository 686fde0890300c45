"""Runs the kernels where there is no GPU, in Triton's interpreter, and prints how near they came."""

import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

if find_spec("triton") is None:  # test_available.py says so
    collect_ignore_glob = [f"test_{name}*.py" for name in ("compil", "fused", "kernel", "pytorch", "rms", "triton")]
elif not torch.cuda.is_available():
    import triton_mends

    triton_mends.install()

WORST: dict[tuple[torch.dtype, str], tuple[float, float]] = {}
CASES: Counter[torch.dtype] = Counter()


@pytest.fixture
def note_errors():
    """Remembers the largest error of each result in each dtype."""

    def note(dtype, errors):
        CASES[dtype] += 1
        for name, (error, bound) in errors.items():
            WORST[dtype, name] = max(WORST.get((dtype, name), (0.0, bound)), (error, bound))

    return note


def pytest_terminal_summary(terminalreporter):
    if not WORST:
        return
    n_cases = CASES.total()
    terminalreporter.write_line(f"Fused attention, {n_cases} cases: largest error / bound, against float64")
    for dtype in dict.fromkeys(dtype for dtype, _ in WORST):
        row = [f"{name} {WORST[d, name][0]:.1e} / {WORST[d, name][1]:.0e}" for d, name in WORST if d == dtype]
        terminalreporter.write_line(f"  {str(dtype).removeprefix('torch.'):9}{'   '.join(row)}")
