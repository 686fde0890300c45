"""Which device computes, with one clear answer where it does not exist."""

import torch


def choose_device(name: str = "auto") -> torch.device:
    """The device by name; "auto" takes the first there is of CUDA, Apple's MPS and the CPU.

    Raises:
        ValueError: if the name is no device, or the device is not on this machine.
    """
    if name == "auto":
        return torch.device(_available()[0])
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
