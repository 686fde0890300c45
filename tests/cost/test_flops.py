from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import minigpt as mg
from minigpt.cost.flops import matrix_parameters, training_flops_per_token
from minigpt.cost.flops_by_part import forward_flops


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mlp": "swiglu", "n_kv_heads": 2},
        {"tied_head": False},
        {"n_experts": 5, "n_active_experts": 3},
        {"n_experts": 4, "n_active_experts": 1, "mlp": "swiglu"},
    ],
)
def test_the_prediction_is_what_the_counter_counts(changes):
    config = mg.GPTConfig(
        vocab_size=50, context_length=32, d_model=48, n_heads=6, n_layers=2, attention="formula", **changes
    )
    model = mg.GPT(config)
    ids = torch.randint(0, 50, (3, 32))
    with FlopCounterMode(display=False) as counter:
        mg.next_token_loss(model(ids), ids).backward()
    # The counter sees the whole T × T square of attention, of which a causal model needs (T + 1) / 2T.
    square = 12 * config.n_layers * config.d_model * 32
    expected = 6 * matrix_parameters(config) + square
    assert counter.get_total_flops() / ids.numel() == pytest.approx(expected, rel=1e-12)
    causal = training_flops_per_token(config, 32)
    assert expected - causal == pytest.approx(square * (1 - 33 / 64))


def test_a_window_leaves_the_pairs_that_it_does_not_see_out_of_an_estimate():
    wide = mg.GPTConfig(vocab_size=50, context_length=510, d_model=60, n_layers=2, n_heads=4)
    narrow = replace(wide, window=17)
    by_part = 3 * forward_flops(narrow, 510).total / 510
    assert mg.estimate(narrow, tokens=1e6).training_flops == pytest.approx(1e6 * by_part, rel=1e-12)
    whole = training_flops_per_token(wide, 510)
    assert mg.estimate(wide, tokens=1e6).training_flops == pytest.approx(1e6 * whole, rel=1e-12)
    assert by_part < 0.7 * whole
