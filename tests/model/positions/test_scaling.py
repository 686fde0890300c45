"""Rotary frequencies for longer rows, with transformers as the oracle."""

import math

import pytest
import torch

import minigpt as mg
from minigpt.model import Rotation, rotary, rotary_angles
from minigpt.model.positions.scaling import (
    ROPE_SCALINGS,
    RopeScaling,
    linear_frequencies,
    llama3_frequencies,
    ntk_frequencies,
    yarn_attention_factor,
    yarn_frequencies,
)

CASES = [(16, 10000.0, 64), (22, 500.0, 33), (64, 1e6, 2048), (6, 10.0, 5)]


def plain(width, base):
    return base ** -(torch.arange(0, width, 2) / width)


def theirs(kind, width, base, length, **numbers):
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    parameters = {"rope_type": kind, "rope_theta": base, "original_max_position_embeddings": length, **numbers}
    config = LlamaConfig(hidden_size=width, num_attention_heads=1, head_dim=width, rope_parameters=parameters)
    return ROPE_INIT_FUNCTIONS[kind](config, "cpu")


@pytest.mark.parametrize(("width", "base", "length"), CASES)
def test_llama3_is_that_of_transformers(width, base, length):
    numbers = {"factor": 8.0, "low_freq_factor": 0.5, "high_freq_factor": 3.0}
    expected, _ = theirs("llama3", width, base, length, **numbers)
    scaling = RopeScaling(factor=8.0, original_context=length, low_turns=0.5, high_turns=3.0)
    torch.testing.assert_close(llama3_frequencies(plain(width, base), base, scaling), expected)


@pytest.mark.parametrize(("width", "base", "length"), CASES)
def test_yarn_is_that_of_transformers(width, base, length):
    numbers = {"factor": 4.0, "beta_fast": 20.0, "beta_slow": 0.5}
    expected, factor = theirs("yarn", width, base, length, **numbers)
    scaling = RopeScaling(factor=4.0, original_context=length, low_turns=0.5, high_turns=20.0)
    torch.testing.assert_close(yarn_frequencies(plain(width, base), base, scaling), expected)
    assert yarn_attention_factor(4.0) == pytest.approx(factor)


def test_linear_divides_every_angle_by_the_factor():
    found = linear_frequencies(plain(10, 50.0), 50.0, RopeScaling(factor=3.0))
    torch.testing.assert_close(found * 3, plain(10, 50.0))


def test_ntk_leaves_the_fastest_pair_and_slows_the_slowest_by_the_factor():
    found, before = ntk_frequencies(plain(10, 50.0), 50.0, RopeScaling(factor=3.0)), plain(10, 50.0)
    assert found[0] == before[0] == 1
    torch.testing.assert_close(found[-1] * 3, before[-1])
    assert (before[1:-1] / found[1:-1]).tolist() == sorted((before[1:-1] / found[1:-1]).tolist())


SHAPE = {"vocab_size": 7, "context_length": 64, "d_model": 24, "n_heads": 3, "n_layers": 1, "init_std": 0.5}


@pytest.mark.parametrize("kind", [kind for kind in ROPE_SCALINGS if kind != "none"])
@pytest.mark.parametrize("position", ["rope-half", "rope-interleaved"])
def test_every_scaling_changes_a_model_and_a_factor_of_1_does_not(kind, position):
    plain, changed, same = (
        mg.GPT(mg.GPTConfig(**SHAPE, position=position, **parts), generator=torch.Generator().manual_seed(0)).eval()
        for parts in ({}, {"rope_scaling": kind, "rope_factor": 4.0}, {"rope_scaling": kind, "rope_factor": 1.0})
    )
    ids = torch.arange(40)[None] % 7
    with torch.no_grad():
        torch.testing.assert_close(same(ids), plain(ids))
        assert (changed(ids) - plain(ids)).abs().max() > 1e-3


def test_scores_still_depend_on_the_distance_alone():
    scaling = RopeScaling(kind="yarn", factor=4.0, original_context=16, high_turns=32.0, attention_factor=1.2)
    angles = rotary_angles(30, 8, scaling=scaling)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    rotation = Rotation(1.2 * angles.cos(), 1.2 * angles.sin(), "half")
    q, k = (rotary(x.expand(30, 8), rotation) for x in (q, k))
    torch.testing.assert_close(q[5] @ k[2], q[29] @ k[26])
    assert math.isclose(q.norm(dim=-1).std(), 0, abs_tol=1e-5)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"rope_scaling": "linear", "position": "learned"}, "rope_scaling='linear' needs rotary positions"),
        ({"rope_scaling": "llama3", "rope_low_turns": 4.0}, "rope_low_turns=4.0 must be less than rope_high_turns=4.0"),
        ({"rope_scaling": "ntk", "d_head": 2}, "rope_scaling='ntk' needs heads wider than 2, got 2"),
        ({"rope_scaling": "yarn", "rope_base": 1.0}, "rope_scaling='yarn' needs rope_base greater than 1, got 1.0"),
        ({"rope_scaling": "linear", "rope_attention_factor": 1.5}, "rope_attention_factor=1.5 is for rope_scaling='ya"),
        ({"rope_factor": 0.5}, "rope_factor=0.5 must be a finite number of at least 1: it is how many times longer"),
        ({"rope_scaling": "dynamic"}, "rope_scaling='dynamic' is unknown; choose one of none, linear, ntk, yarn"),
    ],
)
def test_what_does_not_fit_together_is_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        mg.GPTConfig(**{**SHAPE, "position": "rope-half", **parts})
