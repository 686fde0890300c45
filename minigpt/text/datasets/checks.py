"""What every data set refuses: ids beyond the vocabulary, and a batch that its ranks can't share."""

from collections.abc import Sequence

import numpy as np


def check_ids_below(ids: np.ndarray | Sequence[int], vocab_size: int) -> None:
    """Refuse data with an id that the model has no embedding for."""
    if (highest := np.max(ids)) >= vocab_size:
        raise ValueError(
            f"the data holds token id {highest}, but vocab_size={vocab_size}; "
            "prepare it again with the tokenizer of this model"
        )


def check_batch(step: int, batch_size: int, rank: int, world_size: int) -> None:
    """Refuse a batch that the ranks can't share evenly."""
    if step < 0:
        raise ValueError(f"step={step} must not be negative")
    if not 0 <= rank < world_size:
        raise ValueError(f"rank={rank} must lie in 0..world_size - 1, and world_size={world_size}")
    if batch_size < world_size:
        raise ValueError(f"batch_size={batch_size} leaves some of {world_size} ranks without a row; try {world_size}")
    if batch_size % world_size:
        raise ValueError(
            f"batch_size={batch_size} must be divisible by world_size={world_size}; "
            f"try batch_size={batch_size - batch_size % world_size}"
        )
