"""minigpt/bench/attention/speed.py: what is shown, what is left out and why. Times themselves are not asserted."""

import json
import sys

import pytest
import torch

from minigpt import bench, cli
from minigpt.bench import AttentionBench, Measured, Setting
from minigpt.bench.attention import speed as module
from minigpt.bench.peaks import Peak
from minigpt.settings.language import columns_of

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def setting(t=8, e=4, causal=False, dtype=torch.float32):
    return Setting(t, e, causal, dtype, 2, 3)


def test_one_that_cannot_run_says_why_and_the_others_go_on(monkeypatch):
    def fail(setting, device):
        raise RuntimeError("No available kernel. Aborting execution.\nmore lines")

    monkeypatch.setitem(module.CONTENDERS["cpu"], "sdpa", fail)
    rows = list(module.measure(setting(), CPU, 1))
    assert [(row.name, row.skipped) for row in rows] == [
        ("formula", ""),
        ("sdpa", "skipped: No available kernel. Aborting execution."),
    ]
    assert min(rows[0].times) > 0


def test_the_formula_is_left_out_where_its_weights_do_not_fit(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**30))
    large = Setting(16384, 64, False, torch.float16, 1, 32)
    with pytest.raises(ValueError, match="its weights take 16 GiB, several times over"):
        module._check_memory("formula", large, CUDA)
    module._check_memory("triton", large, CUDA)
    module._check_memory("formula", setting(), CUDA)


@pytest.fixture
def measured():
    fast, slow = (
        Measured(setting(), name, times) for name, times in (("formula", (1e-6, 3e-6)), ("sdpa", (1e-6, 1e-6)))
    )
    absent = Measured(setting(), "triton", skipped="skipped: needs a GPU")
    return AttentionBench("cpu", "a CPU", {torch.float32: Peak(1e10, 1e10, "by hand")}, [fast, slow, absent])


def test_the_table_shows_rates_shares_of_the_roofline_ratios_and_what_was_left_out(measured):
    lines = str(measured).splitlines()
    forward, backward = setting().flops
    limits = measured.roofline(setting())
    assert "10 GFLOP/s and 10 GB/s (by hand)" in lines[1]
    expected = [f"{forward / 1e3:.1f}", f"{backward / 1e3:.1f}", f"{forward / 1e-6 / limits[0]:.0%}"]
    assert lines[5].split()[5:] == [*expected, f"{backward / 1e-6 / limits[1]:.0%}", "2.00"]
    assert lines[6].endswith("triton    skipped: needs a GPU")


def test_the_json_has_the_figures_of_the_table(measured):
    figures = json.loads(json.dumps(measured.to_json()))
    assert figures["peaks"] == {"float32": {"flops": 1e10, "bandwidth": 1e10, "source": "by hand"}}
    assert [row["attention"] for row in figures["rows"]] == ["formula", "sdpa", "triton"]
    first, second, absent = figures["rows"]
    assert first["dtype"] == "float32" and (first["n_positions"], first["head_width"], first["causal"]) == (8, 4, False)
    rate, limit = setting().flops[1] / 1e-6, measured.roofline(setting())[1]
    assert second["backward"] == {"seconds": 1e-6, "flops_per_second": rate, "of_roofline": rate / limit}
    assert (first["ratio"], second["ratio"], second["skipped"]) == (1.0, 2.0, None)
    assert absent["skipped"] == "skipped: needs a GPU" and "ratio" not in absent


def test_the_picture_has_a_line_for_each_that_ran_and_the_roofline(measured):
    axes = measured.plot().axes
    assert [line.get_label() for line in axes[0].lines] == ["formula", "sdpa", "roofline"]
    assert axes[1].lines[1].get_ydata()[0] == pytest.approx(measured.rows[1].rates[1] / 1e9)


@pytest.mark.parametrize(
    ("device", "lengths", "rounds", "message"),
    [
        ("meta", (), 1, "no contenders for device 'meta'; expected one of cuda, cpu"),
        ("cpu", (0,), 1, r"got lengths \(0,\) and rounds=1; expected at least 1"),
        ("cpu", (8,), 0, "rounds=0; expected at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(device, lengths, rounds, message):
    with pytest.raises(ValueError, match=message):
        bench.measure_attention(torch.device(device), lengths, rounds)


def test_the_command_prints_one_table_and_says_that_the_kernel_needs_a_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "interpreted_error", lambda: 2e-7)
    cli.main(["bench", "attention", "--rounds", "1", "--lengths", "8", "--device", "cpu", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert printed.count("formula") == 2 and printed.count("sdpa") == 2
    assert "2e-07" in printed and "timings need a GPU" in printed
    assert (tmp_path / "attention.png").stat().st_size > 0


@pytest.mark.parametrize("has_matplotlib", [True, False])
def test_the_command_prints_json_and_nothing_else_on_stdout(tmp_path, monkeypatch, capsys, has_matplotlib):
    pytest.importorskip("triton", reason="needs triton, which is for Linux")
    monkeypatch.setattr(bench, "interpreted_error", lambda: 2e-7)
    if not has_matplotlib:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    words = ["--rounds", "1", "--lengths", "8", "--device", "cpu", "--out", str(tmp_path)]
    cli.main(["bench", "attention", *words, "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert {row["attention"] for row in figures["rows"]} == {"formula", "sdpa"}
    assert figures["kernel"] == {"largest_error": 2e-7, "run_by": "interpreter"}
    assert (tmp_path / "attention.png").exists() == has_matplotlib
    assert figures["picture"] == (str(tmp_path / "attention.png") if has_matplotlib else None)


def test_in_chinese_only_names_are_english(in_chinese, measured):
    told = in_chinese(str(measured))
    assert told <= {"formula", "sdpa", "triton", "skipped", "needs", "float", "full", "hand"}
    assert len(set(map(columns_of, str(measured).splitlines()[3:6]))) == 1
