"""A training step on several processes of this machine, timed: each has one thread, a copy of the model and a batch.

The processes meet through a file, so that nothing listens on a port that another program may have.
``python -m minigpt.bench.together FOLDER RANK SIZE BATCH`` is one of them.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import distributed as dist

from minigpt.bench.steps import our_step
from minigpt.model import GPTConfig
from minigpt.training.processes.distributed import World

TIMED_CALLS = 3  # timed of each, the first besides
MESSAGE = 2**20  # numbers that are added up to learn what sending takes
LONGEST = 300.0  # seconds that the processes may take


class Together(NamedTuple):
    """What the processes measured.

    Attributes:
        step: seconds of a step, the least of some.
        apart: seconds of the same step where nothing is sent, all processes computing at once.
        byte: seconds for each byte that a process sends; 0 where there is one process.
    """

    step: float
    apart: float
    byte: float


def measure_together(config: GPTConfig, n_sequences: int, n_processes: int) -> Together:
    """Time a training step on several processes of this machine.

    Args:
        config: the model's shape.
        n_sequences: of each process.
        n_processes: at least 1.

    Raises:
        ChildProcessError: if one of them fails; its last line says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(config.to_json())
        command = [sys.executable, "-m", "minigpt.bench.together", folder]
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": loopback}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        started = [
            subprocess.Popen(
                [*command, str(rank), str(n_processes), str(n_sequences)],
                env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            for rank in range(n_processes)
        ]  # fmt: skip
        try:
            for process in started:
                said = process.communicate(timeout=LONGEST)[1].strip()
                if process.returncode:
                    raise ChildProcessError(f"a process that was timed has ended: {said.splitlines()[-1:]}")
        finally:
            for process in started:
                process.kill()
                process.wait()
        return Together(**json.loads((Path(folder) / "found.json").read_text()))


def _one_of_them(folder: Path, rank: int, size: int, n_sequences: int) -> None:
    torch.set_num_threads(1)
    config, world = GPTConfig.from_json((folder / "config.json").read_text()), World()
    if size > 1:
        store = dist.FileStore(str(folder / "store"), size)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
        world = World(rank=rank, size=size, group=dist.group.WORLD)
    ids = torch.zeros(n_sequences, config.context_length, dtype=torch.int64)
    step, apart = (
        least_of(partial(each, ids, ids), world) for each in (our_step(config, world=world), our_step(config))
    )
    found = Together(step, apart, 0.0)
    if size > 1:
        message = torch.zeros(MESSAGE)
        seconds = least_of(lambda: dist.all_reduce(message), world)
        found = found._replace(byte=seconds / (2 * (size - 1) / size * 4 * MESSAGE))
    if rank == 0:
        (folder / "found.json").write_text(json.dumps(found._asdict()))
    if size > 1:
        dist.barrier()
        dist.destroy_process_group()


def least_of(function: Callable[[], object], world: World) -> float:
    """The least time of some calls that all processes begin together.

    Args:
        function: what is called.
        world: the processes; one does not wait.
    """
    times = []
    for _ in range(1 + TIMED_CALLS):
        world.sum(0.0)  # all are here
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return min(times[1:])


if __name__ == "__main__":
    _one_of_them(Path(sys.argv[1]), *map(int, sys.argv[2:]))
