import pytest

from minigpt.bench import interpreted_error, kernel_error
from minigpt.bench.attention import correctness


def test_the_kernels_error_is_that_of_float32():
    pytest.importorskip("triton", reason="needs triton, which is for Linux")
    assert 0 < kernel_error() < 5e-6


def test_a_process_that_fails_says_what_it_said(monkeypatch):
    monkeypatch.setattr(correctness.sys, "executable", "false")
    monkeypatch.setattr(
        correctness.subprocess,
        "run",
        lambda *_, **__: correctness.subprocess.CompletedProcess([], 1, "", "Traceback\nOSError: no"),
    )
    with pytest.raises(ValueError, match="does not run in Triton's interpreter: OSError: no"):
        interpreted_error()
