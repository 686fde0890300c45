import json

import pytest
import torch

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


def test_the_matrix_has_a_row_for_each_combination_and_says_what_is_rounding():
    pytest.importorskip("triton", reason="needs triton, which is for Linux")
    rows = correctness.kernel_matrix((1, 17), (16,), (torch.float32,))
    assert [(row["n_positions"], row["causal"]) for row in rows] == [(1, True), (17, True), (1, False), (17, False)]
    assert all(row["ok"] and row["error"] <= row["allowed"] for row in rows)
    assert json.loads(json.dumps(rows)) == rows


def test_an_error_beyond_rounding_is_not_ok(monkeypatch):
    monkeypatch.setattr(correctness, "error_at", lambda setting, device: 1e-2)
    kinds = {row["dtype"]: row["ok"] for row in correctness.kernel_matrix((1,), (16,))}
    assert kinds == {"float32": False, "float16": False, "bfloat16": True}
