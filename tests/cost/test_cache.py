"""minigpt/cost/cache.py: the bytes are those of tensors of that shape."""

import pytest
import torch

import minigpt as mg
from minigpt.cost import kv_cache_bytes


@pytest.mark.parametrize(("dtype", "word"), [(torch.float32, 4), (torch.bfloat16, 2)])
@pytest.mark.parametrize(("window", "seen"), [(None, 7), (3, 3), (9, 7)])
def test_keys_and_values_of_all_layers_and_heads_that_are_still_seen(dtype, word, window, seen):
    config = mg.GPTConfig(vocab_size=9, d_model=24, n_layers=3, n_heads=6, n_kv_heads=2, window=window)
    cache = torch.empty(2, 3, 5, 2, seen, 4, dtype=dtype)  # both, layers, sequences, heads, positions, width
    assert kv_cache_bytes(config, 7, 5, word=word) == cache.nbytes
