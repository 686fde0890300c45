"""The machine that a speedrun was measured on: a time says nothing without it."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from minigpt.version import __version__


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine and what runs on it.

    Attributes:
        cpu: name of its CPU.
        cores: how many of them this process may use.
        memory: bytes of it that the machine has; ``None`` where nothing is known.
        threads: how many PyTorch uses.
        system: operating system and architecture.
        torch: version of PyTorch.
        minigpt: version of this library.
    """

    cpu: str
    cores: int
    memory: int | None
    threads: int
    system: str
    torch: str
    minigpt: str

    def __str__(self) -> str:
        memory = "" if self.memory is None else f", {self.memory / 2**30:.1f} GiB"
        cores, threads = (f"{n} {noun}{'s' * (n != 1)}" for n, noun in ((self.cores, "core"), (self.threads, "thread")))
        return f"{self.cpu}, {cores}, {threads}{memory}; torch {self.torch}, minigpt {self.minigpt}"


def describe_host() -> Host:
    """The machine that this runs on."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return Host(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1,
        memory=_memory(),
        threads=torch.get_num_threads(),
        system=f"{platform.system()} {platform.machine()}",
        torch=str(torch.__version__),
        minigpt=__version__,
    )


def _cpu_name(described: Path = Path("/proc/cpuinfo")) -> str:
    """As Linux has it, or as Python knows it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", described.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
