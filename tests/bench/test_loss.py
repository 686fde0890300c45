"""minigpt/bench/loss.py: what is computed, counted and shown. Times themselves are not asserted."""

import json

import pytest
import torch

from minigpt.bench import LossBench, LossRow, loss, measure_loss

ROWS = [
    LossRow(65, "torch", 0.5, 1.0, 2e9, 0.5, 0.25, 2**20),
    LossRow(65, "triton", skipped="skipped: needs a CUDA GPU"),
]
MEASURED = LossBench("a CPU", 8, 16, "float32", 3, ROWS)


def test_every_loss_and_its_gradients_are_the_same():
    x = torch.randn(1, 7, 16, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(33, 16, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 33, (1, 7))
    here = {name: function for name, function in loss.HEAD_LOSSES.items() if name != "triton"}
    if not hasattr(torch.nn.functional, "linear_cross_entropy"):
        here.pop("torch linear")
    values = {name: function(x, weight, targets) for name, function in here.items()}
    expected = torch.autograd.grad(values["torch"], (x, weight), retain_graph=True)
    for value in values.values():
        torch.testing.assert_close(value, values["torch"])
        torch.testing.assert_close(torch.autograd.grad(value, (x, weight), retain_graph=True), expected)


def test_without_pytorchs_fused_loss_its_line_says_so(monkeypatch):
    monkeypatch.delattr(torch.nn.functional, "linear_cross_entropy", raising=False)
    with pytest.raises(RuntimeError, match="has no linear_cross_entropy"):
        loss.HEAD_LOSSES["torch linear"](torch.ones(1, 1, 1), torch.ones(2, 1), torch.zeros(1, 1, dtype=torch.int64))


def test_rates_and_shares_are_those_of_the_clock_and_the_least_bytes(monkeypatch):
    monkeypatch.setattr(loss, "stopwatch", lambda run, *_: lambda: 0.5)
    monkeypatch.setattr(loss, "matmul_rate", lambda *_: 1e6)
    monkeypatch.setattr(loss, "copy_rate", lambda *_: 1e5)
    monkeypatch.setattr(loss, "peak_allocation", lambda *_: 77)
    row = measure_loss(1, (65,), n_rows=8, width=16).rows[1]
    flops, n_bytes = 6 * 8 * 16 * 65, 2 * 4 * (8 * 16 + 65 * 16)
    assert row == LossRow(65, "torch", 0.5, 1.0, flops / 0.5, flops / 0.5 / 1e6, n_bytes / 0.5 / 1e5, 77)


def test_in_chunks_it_takes_less_memory_than_with_all_logits():
    rows = {row.contender: row for row in measure_loss(1, (2048,), n_rows=256, width=16).rows}
    assert rows["chunked"].memory < rows["torch"].memory / 2


def test_the_table_the_json_and_the_picture_have_the_figures():
    lines = str(MEASURED).splitlines()
    assert lines[:2] == ["a CPU", "8 rows of width 16, float32; medians of 3 rounds in turn"]
    assert lines[3].split() == ["65", "torch", "500.0", "1.00", "2.0", "50%", "25%", "1.0", "MiB"]
    assert lines[4].endswith("skipped: needs a CUDA GPU")
    figures = json.loads(json.dumps(MEASURED.to_json()))
    assert figures["rows"][0] == ROWS[0]._asdict() and (figures["n_rows"], figures["width"]) == (8, 16)
    (bars,) = MEASURED.plot().axes[0].containers
    assert bars[0].get_height() == 1.0


def test_in_chinese_only_names_are_english(in_chinese):
    names = {"torch", "triton", "skipped", "needs", "float", "formula", "logits", "softmax", "linear", "chunked"}
    parts = {"orch", "cross", "entropy", "next", "token", "loss"}
    assert in_chinese(str(MEASURED)) <= names | parts
