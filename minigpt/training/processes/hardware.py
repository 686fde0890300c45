"""What this machine has, as far as the speed and the size of a training depend on it.

In a container that is what its limits leave: :mod:`minigpt.limits`.
"""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from minigpt.limits import memory_limit, usable_cores
from minigpt.training.execution.precision import multiplies_bf16

CPU_INFO = Path("/proc/cpuinfo")  # of Linux


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A machine.

    Attributes:
        cpu: name of its CPU.
        cores: how many of them this process may use.
        threads: how many PyTorch uses.
        memory: bytes of it that this process may use; ``None`` where nothing is known.
        bf16: whether the CPU has instructions that multiply bfloat16.
        gpu: name of its first CUDA GPU; ``None`` without one.
        gpu_memory: bytes that this GPU has; 0 without one.
    """

    cpu: str
    cores: int
    threads: int
    memory: int | None
    bf16: bool = False
    gpu: str | None = None
    gpu_memory: int = 0


def seen_hardware(device: str = "auto") -> Hardware:
    """The machine that this runs on.

    Args:
        device: what computes, as for :func:`~.device.choose_device`; "cpu" leaves its GPU out.
    """
    has_gpu = device != "cpu" and torch.cuda.is_available()
    return Hardware(
        cpu=cpu_name(),
        cores=usable_cores(),
        threads=torch.get_num_threads(),
        memory=_memory(),
        bf16=multiplies_bf16(torch.device("cpu")),
        gpu=torch.cuda.get_device_name(0) if has_gpu else None,
        gpu_memory=torch.cuda.get_device_properties(0).total_memory if has_gpu else 0,
    )


def cpu_name(described: Path | None = None) -> str:
    """The name of the CPU as Linux has it, or as Python knows it.

    Args:
        described: the file in which the system describes its CPUs; ``None`` means :data:`CPU_INFO`.
    """
    try:
        text = (described or CPU_INFO).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name[^\S\n]*:[^\S\n]*(\S.*)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _memory() -> int | None:
    """The memory of the machine, or of the container if that is less."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return min(machine, memory_limit() or machine)
