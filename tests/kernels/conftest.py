"""Runs the kernels where there is no GPU, in Triton's interpreter."""

import sys
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


@pytest.fixture
def note_errors(record_property):
    """Keeps the errors of each result for the summary, which tests/conftest.py prints."""

    def note(dtype, errors):
        numbers = {name: [float(error), float(bound)] for name, (error, bound) in errors.items()}
        record_property("largest errors", [str(dtype).removeprefix("torch."), numbers])

    return note
