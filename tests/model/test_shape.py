"""Widths of heads, places of biases and windows of layers."""

import pytest
import torch

import minigpt as mg
from minigpt.cost.parameters import count_parameters
from minigpt.training.optim.groups import decay_groups, split_qkv

SHAPE = {"vocab_size": 7, "context_length": 12, "d_model": 14, "n_heads": 4, "n_layers": 3, "d_head": 6}


def built(**parts):
    config = mg.GPTConfig(**{**SHAPE, **parts})
    return mg.GPT(config, generator=torch.Generator().manual_seed(0)).eval(), config


@pytest.mark.parametrize("attention", ["formula", "sdpa"])
@pytest.mark.parametrize("position", ["learned", "rope-half", "alibi"])
def test_heads_may_be_wider_than_their_share(attention, position):
    model, config = built(attention=attention, position=position, n_kv_heads=2, qk_norm=True)
    assert (config.head_width, config.heads_width) == (6, 24)
    assert model.blocks[0].attention.project_out.weight.shape == (14, 24)
    assert model(torch.zeros(2, 5, dtype=torch.long)).shape == (2, 5, 7)
    assert model.n_parameters == config.n_parameters == count_parameters(config).total


def test_a_head_of_its_share_is_the_same_model():
    one, _ = built(d_model=24, d_head=6)
    other, _ = built(d_model=24, d_head=None)
    ids = torch.arange(12)[None] % 7
    assert torch.equal(one(ids), other(ids))


@pytest.mark.parametrize("place", ["qkv", "out", "mlp"])
def test_each_place_has_its_own_biases(place):
    with_it, config = built(bias=False, **{f"{place}_bias": True}, mlp="swiglu")
    without, _ = built(bias=False, mlp="swiglu")
    names = {name for name, _ in with_it.named_parameters()} - {name for name, _ in without.named_parameters()}
    part = {"qkv": "attention.project_qkv", "out": "attention.project_out", "mlp": "mlp"}[place]
    assert names and all(part in name and name.endswith("bias") for name in names)
    assert config.n_parameters == with_it.n_parameters == count_parameters(config).total
    assert with_it.config.resolved().biases == config.biases


@pytest.mark.parametrize(
    ("layers", "expected"), [("w", [5, 5, 5]), ("wf", [5, None, 5]), ("ffw", [None, None, 5]), ("f", [None] * 3)]
)
def test_the_layers_of_the_window_follow_the_letters(layers, expected):
    model, config = built(window=5, window_layers=layers)
    assert list(config.windows) == expected
    assert [block.attention.window for block in model.blocks] == expected


def test_a_window_in_one_layer_acts_there_alone():
    model, _ = built(window=2, window_layers="wf", n_layers=2, init_std=0.5)
    ids = torch.zeros(1, 8, dtype=torch.long)
    far = ids.clone()
    far[0, 0] = 3
    record, other = mg.look(model, ids), mg.look(model, far)
    assert torch.equal(record["blocks.0.hook_attn_out"][:, 2:], other["blocks.0.hook_attn_out"][:, 2:])
    assert not torch.equal(record["blocks.1.hook_attn_out"][:, 7], other["blocks.1.hook_attn_out"][:, 7])


@pytest.mark.parametrize("letters", ["", "wx", "W", "w" * 5000])
def test_other_letters_are_refused(letters):
    with pytest.raises(ValueError, match="window_layers must be letters w"):
        built(window_layers=letters)


def test_muon_splits_heads_of_any_width():
    model, _ = built(n_kv_heads=2)
    group = decay_groups(model, 0.1)[1]
    parts = split_qkv(group["params"][0], group["n_queries"])
    assert [part.shape[0] for part in parts] == [24, 12, 12]
    assert "n_queries" not in decay_groups(built(d_model=24)[0], 0.1)[1]
