import pytest
import torch

from minigpt.bench.peaks import Peak, peak_of


def test_the_roofline_is_the_lower_of_arithmetic_and_memory():
    peak = Peak(flops=100.0, bandwidth=10.0, source="")
    assert peak.roofline(flops=1000, n_bytes=10) == 100
    assert peak.roofline(flops=1000, n_bytes=1000) == 10


@pytest.mark.parametrize(
    ("name", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
        ("NVIDIA A100-PCIE-40GB", 312),
        ("NVIDIA A10G", 70),
        ("NVIDIA GeForce RTX 4090", 165.2),
    ],
)
def test_a_known_gpu_has_the_peak_of_its_data_sheet(name, tera, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_of(torch.device("cuda"), torch.bfloat16).flops == tera * 1e12


def test_a_device_without_a_data_sheet_is_measured():
    peak = peak_of(torch.device("cpu"), torch.float32)
    assert peak.flops > 0 and peak.bandwidth > 0 and peak.source.startswith("measured")
