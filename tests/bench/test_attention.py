"""minigpt/bench: what is counted, what is shown, what is left out and why. Times themselves are not asserted."""

import importlib

import pytest
import torch
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

from minigpt import bench, cli
from minigpt.bench import AttentionBench, Measured, Setting, peaks
from minigpt.bench.peaks import Peak

module = importlib.import_module("minigpt.bench.attention")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def setting(t=8, e=4, causal=False, dtype=torch.float32):
    return Setting(t, e, causal, dtype, 2, 3)


def test_operations_are_those_that_pytorch_counts_for_its_attention():
    q, k, v, do = (x.shape for x in setting().draw(CPU))
    assert setting().flops == (sdpa_flop_count(q, k, v), sdpa_backward_flop_count(do, q, k, v))


def test_a_causal_mask_leaves_the_pairs_on_and_below_the_diagonal():
    pairs = torch.ones(8, 8).tril().sum().item()
    assert setting(causal=True).flops == tuple(flops * pairs / 64 for flops in setting().flops)


def test_the_least_bytes_are_those_of_the_tensors_that_go_in_and_out():
    q, k, v, do = setting(dtype=torch.float16).draw(CPU)
    forward, backward = [q, k, v, q], [q, k, v, q, do, q, k, v]
    expected = tuple(sum(x.nbytes for x in tensors) for tensors in (forward, backward))
    assert setting(dtype=torch.float16).n_bytes == expected


def test_the_roofline_is_the_lower_of_arithmetic_and_memory():
    peak = Peak(flops=100.0, bandwidth=10.0, source="")
    assert peak.roofline(flops=1000, n_bytes=10) == 100
    assert peak.roofline(flops=1000, n_bytes=1000) == 10


@pytest.mark.parametrize(
    ("name", "tera"),
    [("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756), ("NVIDIA L4", 121), ("NVIDIA L40S", 362)],
)
def test_a_known_gpu_has_the_peak_of_its_data_sheet(name, tera, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peaks.peak_of(CUDA, torch.bfloat16).flops == tera * 1e12


def test_a_device_without_a_data_sheet_is_measured():
    peak = peaks.peak_of(CPU, torch.float32)
    assert peak.flops > 0 and peak.bandwidth > 0 and peak.source.startswith("measured")


def test_a_gpu_gets_both_16_bit_dtypes_both_widths_and_masks_and_always_as_many_tokens():
    settings = module.settings(CUDA)
    assert len(settings) == 5 * 2 * 2 * 2
    assert {s.dtype for s in settings} == {torch.float16, torch.bfloat16} and {s.head_width for s in settings} == {
        64,
        128,
    }
    assert {s.batch_size * s.n_positions for s in settings} == {16384}
    assert {s.n_heads * s.head_width for s in settings} == {2048}


def test_on_the_cpu_the_contenders_compute_the_same():
    for causal in (False, True):
        here = setting(causal=causal)
        q, k, v, _ = here.draw(CPU)
        outputs = [make(here, CPU)(q, k, v) for make in module.CONTENDERS["cpu"].values()]
        torch.testing.assert_close(*outputs)


def test_a_gpus_contenders_are_our_kernel_and_its_known_peers():
    assert list(module.CONTENDERS["cuda"]) == ["flash", "cudnn", "flex", "triton", "formula"]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("name", ["flash", "flex", "triton"])
def test_what_a_gpu_runs_is_the_formula(name, monkeypatch):
    """Those of them that also run here: Triton's interpreter, PyTorch's CPU kernels, FlexAttention uncompiled."""
    if name == "triton":
        pytest.importorskip("triton", reason="needs triton, which is for Linux")
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    for causal in (False, True):
        here = Setting(32, 16, causal, torch.float32, 1, 2)
        q, k, v, _ = (x.detach() for x in here.draw(CPU))
        expected = module.CONTENDERS["cpu"]["formula"](here, CPU)(q, k, v)
        torch.testing.assert_close(module.CONTENDERS["cuda"][name](here, CPU)(q, k, v), expected)


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
    return AttentionBench("cpu", {torch.float32: Peak(1e10, 1e10, "by hand")}, [fast, slow, absent])


def test_the_table_shows_rates_shares_of_the_roofline_ratios_and_what_was_left_out(measured):
    lines = str(measured).splitlines()
    forward, backward = setting().flops
    limits = measured.roofline(setting())
    assert "10 GFLOP/s and 10 GB/s (by hand)" in lines[1]
    expected = [f"{forward / 1e3:.1f}", f"{backward / 1e3:.1f}", f"{forward / 1e-6 / limits[0]:.0%}"]
    assert lines[5].split()[5:] == [*expected, f"{backward / 1e-6 / limits[1]:.0%}", "2.00"]
    assert lines[6].endswith("triton    skipped: needs a GPU")


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


def test_the_kernels_error_is_that_of_float32():
    pytest.importorskip("triton", reason="needs triton, which is for Linux")
    assert 0 < module.kernel_error() < 5e-6


def test_a_process_that_fails_says_what_it_said(monkeypatch):
    monkeypatch.setattr(module.sys, "executable", "false")
    monkeypatch.setattr(
        module.subprocess,
        "run",
        lambda *_, **__: module.subprocess.CompletedProcess([], 1, "", "Traceback\nOSError: no"),
    )
    with pytest.raises(ValueError, match="does not run in Triton's interpreter: OSError: no"):
        bench.interpreted_error()


def test_the_command_prints_one_table_and_says_that_the_kernel_needs_a_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "interpreted_error", lambda: 2e-7)
    cli.main(["bench", "attention", "--rounds", "1", "--lengths", "8", "--device", "cpu", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert printed.count("formula") == 2 and printed.count("sdpa") == 2
    assert "2e-07" in printed and "timings need a GPU" in printed
    assert (tmp_path / "attention.png").stat().st_size > 0
