"""PyTorch's global generators: one for the CPU, and one for each GPU."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded_generators(devices: Iterable[torch.device], seed: int) -> Iterator[None]:
    """Seed the generators of the CPU and of some devices while the block runs; then they are as they were.

    Those of other devices are left alone: ``torch.manual_seed`` would seed the generators of all of them.

    Args:
        devices: on which the block computes.
        seed: from 0 to 2^64 - 1.
    """
    others = sorted({device for device in devices if device.type not in ("cpu", "meta")}, key=str)
    # without a device the type does not matter, but PyTorch before 2.13 takes no None for it
    with torch.random.fork_rng(others, device_type=others[0].type if others else "cuda"):
        torch.default_generator.manual_seed(seed)
        for device in others:
            if device.type == "cuda":
                torch.cuda.default_generators[device.index].manual_seed(seed)
            else:
                torch.get_device_module(device).manual_seed(seed)
        yield
