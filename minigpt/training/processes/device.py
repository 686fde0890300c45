"""Which device computes, with one clear answer where it does not exist."""

import torch

from minigpt.training.processes.self_check import is_trusted


def choose_device(name: str = "auto") -> torch.device:
    """The device by name; "auto" takes the first there is of CUDA, Apple's MPS and the CPU.

    MPS has returned wrong numbers without an error, so "auto" takes it only if it computes what the CPU computes:
    otherwise one warning says what is wrong, and the CPU is used.

    Raises:
        ValueError: if the name is no device, or the device is not on this machine.
    """
    if name == "auto":
        devices = map(torch.device, _available())
        return next(device for device in devices if device.type != "mps" or is_trusted(device))
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # "meta" makes tensors, but they hold no numbers
    except (RuntimeError, AssertionError, NotImplementedError, ImportError):
        raise ValueError(
            f"device={name!r} is not on this machine; it has {', '.join(_available())} (try device='auto')"
        ) from None
    return device


def _available() -> list[str]:
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return [*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]
