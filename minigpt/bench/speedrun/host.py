"""The machine that a speedrun was measured on: a time says nothing without it."""

import platform
from dataclasses import dataclass

import torch

from minigpt.settings import counted
from minigpt.training.processes.hardware import seen_hardware
from minigpt.version import __version__


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine and what runs on it.

    Attributes:
        cpu: name of its CPU.
        cores: how many of them this process may use.
        memory: bytes of it that this process may use; ``None`` where nothing is known.
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
        cores, threads = counted(self.cores, "core"), counted(self.threads, "thread")
        return f"{self.cpu}, {cores}, {threads}{memory}; torch {self.torch}, minigpt {self.minigpt}"


def describe_host() -> Host:
    """The machine that this runs on."""
    seen = seen_hardware()
    return Host(
        cpu=seen.cpu,
        cores=seen.cores,
        memory=seen.memory,
        threads=seen.threads,
        system=f"{platform.system()} {platform.machine()}",
        torch=str(torch.__version__),
        minigpt=__version__,
    )
