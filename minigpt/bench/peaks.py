"""What a device can do at most: arithmetic and memory traffic, and the roofline that the two make.

Source: Williams, Waterman & Patterson 2009, "Roofline: an insightful visual performance model", CACM 52(4); the peaks:
the makers' data sheets, 16-bit products without sparsity, sums in float32.
"""

from dataclasses import dataclass

import torch

from minigpt.bench.turns import CPU, seconds
from minigpt.cost.hardware.devices import DEVICES


@dataclass(frozen=True)
class Peak:
    """A device's limits.

    Attributes:
        flops: floating-point operations per second.
        bandwidth: bytes per second to and from its memory.
        source: where the two are from.
    """

    flops: float
    bandwidth: float
    source: str

    def roofline(self, flops: float, n_bytes: float) -> float:
        """The most operations per second of a computation that takes ``flops`` and moves at least ``n_bytes``."""
        return min(self.flops, self.bandwidth * flops / n_bytes)


# By a part of the name that CUDA gives a device, the more special first: its row in the table of devices, or the
# operations and bytes per second of a make that has none.
DATA_SHEETS: dict[str, str | tuple[float, float]] = {
    "H100 PCIe": "H100-PCIe",
    "H100 NVL": (835e12, 3.9e12),
    "H100": "H100",
    "H200": "H200",
    "B200": "B200",
    "A100-SXM4-80GB": "A100",
    "A100 80GB": (312e12, 1.94e12),
    "A100": "A100-40",
    "L40S": "L40S",
    "L4": "L4",
    "A10G": (70e12, 0.60e12),
    "A10": (125e12, 0.60e12),
    "RTX 4090": "RTX-4090",
    "RTX 3090": "RTX-3090",
    "MI300X": "MI300X",
}


def _limits(row: str | tuple[float, float]) -> tuple[float, float]:
    if not isinstance(row, str):
        return row
    device = DEVICES[row]
    return device.flops_per_second, device.terabytes_per_second * 1e12


def peak_of(device: torch.device, dtype: torch.dtype) -> Peak:
    """The data sheet's limits of a known GPU in a 16-bit dtype; those measured here for everything else."""
    if device.type == "cuda" and dtype.itemsize == 2:
        name = torch.cuda.get_device_name(device)
        for part, row in DATA_SHEETS.items():
            if part in name:
                return Peak(*_limits(row), source=f"data sheet of {part}")
    size, n_bytes = _sizes(device)
    source = f"measured: a product of {size} × {size}, a copy of {n_bytes / 2**20:.0f} MiB"
    return Peak(matmul_rate(dtype, device), copy_rate(device), source)


def matmul_rate(dtype: torch.dtype = torch.float32, device: torch.device = CPU) -> float:
    """Operations per second of a large product of two square matrices: somewhat below the limit of the device.

    Args:
        dtype: of the matrices.
        device: where; 1024 × 1024 on a CPU, 8192 × 8192 on a GPU.
    """
    size, _ = _sizes(device)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    return 2 * size**3 / seconds(lambda: torch.mm(a, b), device, repeats=3)


def copy_rate(device: torch.device = CPU) -> float:
    """Bytes per second, read and written, of a large copy: somewhat below the limit of the memory.

    Args:
        device: where; 64 MiB on a CPU, 1 GiB on a GPU.
    """
    _, n_bytes = _sizes(device)
    source, target = (torch.zeros(n_bytes // 4, device=device) for _ in range(2))
    target.copy_(source)
    return 2 * n_bytes / seconds(lambda: target.copy_(source), device, repeats=3)


def _sizes(device: torch.device) -> tuple[int, int]:
    """Rows of the matrices that are multiplied, and bytes that are copied."""
    return (8192, 2**30) if device.type == "cuda" else (1024, 2**26)
