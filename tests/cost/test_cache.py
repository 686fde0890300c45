"""minigpt/cost/cache.py: the bytes are those of tensors of that shape."""

import pytest
import torch

import minigpt as mg
from minigpt.cost import cache_bytes, kv_cache_bytes


@pytest.mark.parametrize(("dtype", "word"), [(torch.float32, 4), (torch.bfloat16, 2)])
@pytest.mark.parametrize(("window", "seen"), [(None, 7), (3, 3), (9, 7)])
def test_keys_and_values_of_all_layers_and_heads_that_are_still_seen(dtype, word, window, seen):
    config = mg.GPTConfig(vocab_size=9, d_model=24, n_layers=3, n_heads=6, n_kv_heads=2, window=window)
    cache = torch.empty(2, 3, 5, 2, seen, 4, dtype=dtype)  # both, layers, sequences, heads, positions, width
    assert kv_cache_bytes(config, 7, 5, word=word) == cache.nbytes


SHAPES = [
    {},
    {"n_kv_heads": 2, "d_model": 36, "n_heads": 6, "d_head": 10, "position": "none"},
    {"window": 3},
    {"window": 60},
    {"window": 3, "n_kv_heads": 1, "convolution": 4, "position": "none"},
    {"convolution": 3, "position": "none"},
    {"window_layers": "wf", "window": 5},
]


@pytest.mark.parametrize("n_positions", [1, 7, 19, 64])
@pytest.mark.parametrize("changes", SHAPES)
def test_a_cache_takes_as_many_bytes_as_are_said_and_an_estimate_says_the_same(changes, n_positions):
    shape = {"vocab_size": 9, "context_length": n_positions, "d_model": 24, "n_layers": 3, "n_heads": 6}
    model = mg.GPT(mg.GPTConfig(**shape | changes))
    for dtype in (torch.float32, torch.bfloat16):
        cache = model.new_cache(5, n_positions, dtype=dtype)
        assert cache_bytes(model.config, n_positions, 5, word=dtype.itemsize) == cache.n_bytes
    assert mg.estimate(model.config).cache == cache.n_bytes / 5
    if "window" not in changes and "convolution" not in changes:
        assert cache.n_bytes == kv_cache_bytes(model.config, n_positions, 5, word=2)
