"""minigpt/training/processes/hardware.py: what is said of a machine, and that all who say it ask here."""

import os

import pytest
import torch

from minigpt import limits
from minigpt.bench.reports import machine_line
from minigpt.bench.speedrun.host import describe_host
from minigpt.training.processes import hardware
from minigpt.training.processes.hardware import cpu_name, seen_hardware


def test_the_name_of_the_cpu_is_that_of_the_system(tmp_path):
    described = tmp_path / "cpuinfo"
    described.write_text("processor\t: 0\nmodel name\t: Some CPU v2\nprocessor\t: 1\nmodel name\t: other\n")
    assert cpu_name(described) == "Some CPU v2"


@pytest.mark.parametrize("text", [None, "processor : 0\n", "model name :  \nflags : x\n"])
def test_without_a_name_there_it_is_the_one_that_python_knows(tmp_path, monkeypatch, text):
    monkeypatch.setattr(hardware.platform, "processor", lambda: "")
    monkeypatch.setattr(hardware.platform, "machine", lambda: "x86_64")
    described = tmp_path / "cpuinfo"
    if text is not None:
        described.write_text(text)
    assert cpu_name(described) == "x86_64"


def test_the_benchmarks_and_the_speedrun_name_the_same_cpu_and_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("model name : A Fine CPU\n")
    host, line = describe_host(), machine_line(torch.device("cpu"))
    assert host.cpu == "A Fine CPU" and line.startswith(f"A Fine CPU, {host.cores} core")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="asks which cores a process may use")
def test_cores_are_those_that_the_process_may_use(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 5, 7})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(limits, "GROUPS", tmp_path)
    assert seen_hardware().cores == 3


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="asks which cores a process may use")
def test_a_container_has_the_cores_and_the_memory_that_its_limits_leave(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    for name in ("PROC", "GROUPS"):
        monkeypatch.setattr(limits, name, tmp_path)
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_text("0::/\n")
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2**20}\n")
    seen = seen_hardware()
    assert (seen.cores, seen.memory) == (2, 2**20)
    (tmp_path / "memory.max").write_text("9223372036854771712\n")
    assert seen_hardware().memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_gpu_is_seen_with_its_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    properties = type("Properties", (), {"total_memory": 80 * 2**30})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    seen = seen_hardware()
    assert (seen.gpu, seen.gpu_memory) == ("NVIDIA H100", 80 * 2**30)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert (seen_hardware().gpu, seen_hardware().gpu_memory) == (None, 0)
