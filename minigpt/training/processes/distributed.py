"""Several processes that train one model together: who they are, and the figures that they must agree on.

::

    torchrun --nproc-per-node 2 -m minigpt train …

starts the processes and tells each its rank through the environment; :func:`join_world` reads it. The global batch is
fixed: each process computes its share of the rows, and the shares add up to what one process alone would compute.
Without torchrun the world has one process and nothing here costs anything.
"""

import atexit
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import distributed as dist
from torch import nn

from minigpt.files.verified import sha256_of
from minigpt.training.processes.device import choose_device
from minigpt.training.processes.lost_peer import lost_peer_explained


@dataclass(frozen=True, kw_only=True)
class World:
    """The processes of a run, seen from one of them; alone by default.

    Attributes:
        rank: this process, 0 … ``size`` - 1; rank 0 prints, logs and saves.
        size: how many processes there are.
        device: where this process computes.
        group: the processes' line on the CPU, for figures; ``None`` where there is one process.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    group: Any = None

    @property
    def is_main(self) -> bool:
        """Whether this is the process that prints, logs and saves."""
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """Each value summed over the processes, which all get the same sums; taken in float64."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums, group=self.group)
        return sums.tolist()

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in at least one process."""
        return self.sum(flag)[0] > 0

    def gather(self, text: str) -> list[str]:
        """The texts of all processes, in the order of their ranks."""
        if self.size == 1:
            return [text]
        own = torch.tensor(bytearray(text.encode()), dtype=torch.uint8)
        longest = torch.tensor(len(own))
        dist.all_reduce(longest, dist.ReduceOp.MAX, group=self.group)
        padded = [torch.empty(int(longest), dtype=torch.uint8) for _ in range(self.size)]
        dist.all_gather(padded, nn.functional.pad(own, (0, int(longest) - len(own))), group=self.group)
        return [bytes(each.tolist()).rstrip(b"\0").decode() for each in padded]

    def check_equal(self, what: str, value: int) -> None:
        """Refuse to go on where the processes have different values.

        Raises:
            ValueError: on every process.
        """
        total, squares = self.sum(value, value**2)
        if squares * self.size != total**2:
            raise ValueError(
                f"the processes do not agree on {what}: rank {self.rank} has {value}; do they all see the same folder?"
            )

    def check_alike(self, given: Mapping[str, object]) -> None:
        """Refuse to go on where the processes were started differently.

        Args:
            given: what decides the run, by name, as what JSON can hold.

        Raises:
            ValueError: on every process, naming what differs and what each process has.
        """
        if self.size == 1:
            return
        told = {name: json.dumps(value, sort_keys=True) for name, value in given.items()}
        if len(set(self.gather(sha256_of(json.dumps(told).encode())))) == 1:
            return
        short = {name: _shortened(text) for name, text in told.items()}
        ranks = [json.loads(text) for text in self.gather(json.dumps(short))]
        names = [name for name in short if any(rank.get(name) != short[name] for rank in ranks)]
        differing = "; ".join(f"{name} ({', '.join(rank.get(name, 'missing') for rank in ranks)})" for name in names)
        raise ValueError(
            f"the processes were started differently, in the order of their ranks: {differing}. Give all of them the "
            "same command, files and version of minigpt"
        )

    def micro_batch(self, batch: int, micro: int | None) -> int:
        """Sequences at once through the model of one process.

        Args:
            batch: sequences for each update, over all processes.
            micro: sequences at once, if there is a choice; ``None`` means all those of a process.

        Raises:
            ValueError: if the batch can't be shared evenly.
        """
        size = self.size
        if batch % size:
            near = f"{batch - batch % size} or {batch - batch % size + size}" if batch > size else f"{size}"
            raise ValueError(f"batch_size={batch} can't be shared evenly by {size} processes; try {near}")
        micro = batch // size if micro is None else micro
        if batch % (micro * size):
            raise ValueError(
                f"batch_size={batch} must be a multiple of micro_batch_size · processes = {micro} · {size}; try "
                f"micro_batch_size={math.gcd(batch // size, micro)}"
            )
        return micro


ALONE = World()


def _shortened(text: str) -> str:
    """A value in a message; a long one is told apart by its hash."""
    return text if len(text) <= 40 else sha256_of(text.encode())[:16]


@contextmanager
def join_world(device: str = "auto") -> Iterator[World]:
    """Meet the other processes that torchrun started; at the end all wait until all have come to it.

    A process group that exists already is used. A new one stays until the process exits: a sharded model needs it after
    training, and the environment has room for one.

    Args:
        device: "auto", "cpu", "cuda", …; on CUDA each process of a machine takes the GPU of its local rank.

    Raises:
        ValueError: if the device is not there, or there are fewer GPUs than processes.
        ConnectionError: inside, if another process has ended.
    """
    check_environment()
    if not dist.is_available() or not (dist.is_initialized() or _world_size() > 1):
        yield World(device=choose_device(device))
        return
    own_device = device_of_rank(device)
    if not dist.is_initialized():
        _meet("nccl" if own_device.type == "cuda" else "gloo")
        atexit.register(_leave)
    group = dist.new_group(backend="gloo")
    with lost_peer_explained():
        yield World(rank=dist.get_rank(), size=dist.get_world_size(), device=own_device, group=group)
    dist.barrier(group)  # a process that leaves early would break off what the others still have to say
    dist.destroy_process_group(group)


def _meet(backend: str) -> None:
    """Start the process group, at a meeting point of its own for each start.

    torchrun keeps one store for all restarts; in it, a process could take the address of a dead one for its peer's.
    """
    try:
        store, rank, size = next(dist.rendezvous("env://"))
        start = f"start-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}-of-{size}"
        dist.init_process_group(backend, store=dist.PrefixStore(start, store), rank=rank, world_size=size)
    except (RuntimeError, ValueError) as error:
        place = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"the processes can't meet at {place}: {reason}. Where another program has that port, choose another with "
            "torchrun --master-port"
        ) from None


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def check_environment() -> None:
    """Refuse variables of torchrun that hold something else.

    Raises:
        ValueError: naming the variable.
    """
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT"):
        if name in os.environ and not os.environ[name].isdecimal():
            raise ValueError(
                f"the environment variable {name}={os.environ[name]!r} must be a whole number, as torchrun sets it; "
                f"unset it to train in one process"
            )
    if (size := _world_size()) > 1 and (rank := int(os.environ["RANK"])) >= size:
        raise ValueError(f"the environment variable RANK={rank} must be less than WORLD_SIZE={size}")


def is_main_process() -> bool:
    """Whether this process prints and writes; true without torchrun."""
    return os.environ.get("RANK", "0") == "0"


def is_alone() -> bool:
    """Whether torchrun did not start this process, so that no other depends on how it ends."""
    return "RANK" not in os.environ


def restarted() -> bool:
    """Whether torchrun has started these processes anew after one of them died."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def _world_size() -> int:
    """How many processes the environment speaks of; torchrun sets all three variables."""
    told = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
    return int(os.environ["WORLD_SIZE"]) if told else 1


def device_of_rank(name: str) -> torch.device:
    """Where a process of several computes: on CUDA, each process of a machine on a GPU of its own.

    Raises:
        ValueError: if the device is not there, is one GPU, or there are fewer GPUs than processes.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = choose_device(name)
    if device.type != "cuda":
        return device
    local_rank, n_gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if device.index is not None:
        raise ValueError(f"device={name!r} is one GPU for all processes; with torchrun use device='cuda', one for each")
    if local_rank >= n_gpus:
        raise ValueError(
            f"process {local_rank} of this machine finds no GPU of its own, there are {n_gpus}; start torchrun with "
            f"--nproc-per-node {n_gpus}, or use device='cpu'"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
