"""Whether a model fits into this machine's memory, by arithmetic, before it is built."""

import torch

from minigpt.model import GPTConfig
from minigpt.training.safety.memory_advice import spare_bytes


def check_memory(model: GPTConfig) -> None:
    """Refuse a model whose weights alone need more than the memory that is free. Training needs about four times that.

    Args:
        model: the shape of the model, which is built on the CPU whatever device trains it.

    Raises:
        MemoryError: naming what the weights need and what is free.
    """
    needed = model.n_parameters * torch.get_default_dtype().itemsize
    free = spare_bytes(torch.device("cpu"))
    if free is not None and needed > free:
        raise MemoryError(
            f"the model has {model.n_parameters:,} parameters, whose weights need {needed / 2**30:,.1f} GiB, and this "
            f"machine has {free / 2**30:,.1f} GiB of free memory; choose a smaller d_model={model.d_model}, "
            f"n_layers={model.n_layers} or vocab_size={model.vocab_size}"
        )
