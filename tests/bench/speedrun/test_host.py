"""minigpt/bench/speedrun/host.py: what is said of the machine."""

import torch
from speedrun_figures import HOST

from minigpt.bench.speedrun import host
from minigpt.version import __version__


def test_a_machine_is_told_in_a_line():
    assert str(HOST) == "Some CPU, 2 cores, 1 thread, 8.0 GiB; torch 2.13.0, minigpt 0.1.0"


def test_this_machine_has_a_cpu_cores_and_the_versions():
    here = host.describe_host()
    assert here.cpu and here.cores >= 1 and here.threads == torch.get_num_threads()
    assert (here.torch, here.minigpt) == (torch.__version__, __version__)


def test_the_name_of_the_cpu_is_that_of_the_system(tmp_path):
    described = tmp_path / "cpuinfo"
    described.write_text("processor\t: 0\nmodel name\t: Some CPU v2\nprocessor\t: 1\nmodel name\t: other\n")
    assert host._cpu_name(described) == "Some CPU v2"
    assert host._cpu_name(tmp_path / "none") != ""
