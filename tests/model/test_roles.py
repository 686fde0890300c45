from collections import Counter
from typing import ClassVar

import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.model import POSITIONS, ROLES, roles_of
from minigpt.model.config import MLPS
from minigpt.model.roles import declared_roles

KINDS = [
    *({"position": name} for name in POSITIONS),
    *({"mlp": name, "bias": bias} for name in MLPS for bias in (True, False)),
    *({"norm": norm, "norm_placement": placement} for norm in ("layer", "rms") for placement in ("pre", "post")),
    {"qk_norm": True},
    {"n_kv_heads": 1},
    {"convolution": 3},
    {"tied_head": False},
    {"convolution": 2, "qk_norm": True, "mlp": "swiglu", "position": "rope-half", "norm": "rms", "tied_head": False},
]


def gpt(**changes):
    shape = {"vocab_size": 11, "context_length": 8, "d_model": 8, "n_heads": 2, "n_layers": 2}
    return mg.GPT(mg.GPTConfig(**{**shape, **changes}))


def declarations(model):
    """How often each parameter is declared, by its identity."""
    counts = Counter()
    for module in model.modules():
        for part in getattr(module, "parameter_roles", {}):
            owned = getattr(module, part, None)
            counts.update(map(id, owned.parameters() if isinstance(owned, nn.Module) else [owned]))
    return counts


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_every_parameter_has_one_declared_role(changes):
    model = gpt(**changes)
    assert list(declared_roles(model)) == [name for name, _ in model.named_parameters()]
    assert declared_roles(model) == roles_of(model)
    counts = declarations(model)
    tied = id(model.token_embedding.weight) if model.config.tied_head else None  # the same one as table and as head
    assert {name: counts[id(p)] for name, p in model.named_parameters() if id(p) != tied and counts[id(p)] != 1} == {}
    assert tied is None or counts[tied] == 2


def test_the_roles_of_a_small_model():
    model = gpt(n_layers=1, qk_norm=True, convolution=2, tied_head=False)
    assert roles_of(model) == {
        "token_embedding.weight": "embedding",
        "position.embedding.weight": "position",
        "blocks.0.convolution.taps": "taps",
        "blocks.0.norm_1.gain": "gain",
        "blocks.0.norm_1.shift": "bias",
        "blocks.0.attention.project_qkv.weight": "qkv",
        "blocks.0.attention.project_qkv.bias": "bias",
        "blocks.0.attention.project_out.weight": "residual",
        "blocks.0.attention.project_out.bias": "bias",
        "blocks.0.attention.norm_q.gain": "gain",
        "blocks.0.attention.norm_k.gain": "gain",
        "blocks.0.norm_2.gain": "gain",
        "blocks.0.norm_2.shift": "bias",
        "blocks.0.mlp.expand.weight": "matrix",
        "blocks.0.mlp.expand.bias": "bias",
        "blocks.0.mlp.contract.weight": "residual",
        "blocks.0.mlp.contract.bias": "bias",
        "norm.gain": "gain",
        "norm.shift": "bias",
        "head.weight": "embedding",
    }


def test_a_module_that_declares_nothing_is_sorted_by_what_owns_its_parameters():
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3), nn.Conv1d(3, 2, 1))
    model.scale = nn.Parameter(torch.ones(1))
    assert roles_of(model) == {
        "scale": "vector",
        "0.weight": "embedding",
        "1.weight": "matrix",
        "1.bias": "bias",
        "2.weight": "vector",
        "2.bias": "vector",
        "3.weight": "matrix",
        "3.bias": "vector",
    }


class Inner(nn.Module):
    parameter_roles: ClassVar = {"linear": "residual"}

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)


class Outer(Inner):
    parameter_roles: ClassVar = {"linear": "qkv", "inner.linear": "embedding", "absent": "matrix"}

    def __init__(self):
        super().__init__()
        self.inner = Inner()


def test_the_innermost_declaration_counts_and_what_is_absent_is_left_out():
    assert roles_of(Outer()) == {
        "linear.weight": "qkv",
        "linear.bias": "bias",
        "inner.linear.weight": "residual",
        "inner.linear.bias": "bias",
    }


def test_an_unknown_role_is_refused():
    model = Inner()
    model.parameter_roles = {"linear": "tensor"}
    with pytest.raises(ValueError, match="Inner declares the role 'tensor' for linear; choose one of matrix, residual"):
        roles_of(model)


def test_each_role_has_a_group_that_is_a_role():
    assert set(ROLES.values()) == {"matrix", "qkv", "embedding", "vector"} <= set(ROLES)
