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
