import pytest
import torch
from einops import rearrange

from minigpt.training import Muon, decay_groups
from minigpt.training.optim.groups import split_qkv


@pytest.mark.parametrize("tied", [True, False])
def test_each_parameter_is_in_the_group_of_its_role(make_model, tied):
    model = make_model(tied_head=tied)
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = {group["role"]: [names[p] for p in group["params"]] for group in decay_groups(model, 0.1)}
    heads = [] if tied else ["head.weight"]
    assert groups["embedding"] == ["token_embedding.weight", "position.embedding.weight", *heads]
    assert all(name.startswith("blocks.") and name.endswith(".weight") for name in groups["matrix"])
    assert groups["qkv"] == [f"blocks.{i}.attention.project_qkv.weight" for i in range(len(model.blocks))]
    assert all(name.endswith(".bias") or "norm" in name for name in groups["vector"])
    assert sum(map(len, groups.values())) == len(names)


def test_matrices_and_embeddings_decay_and_vectors_do_not(make_model):
    assert {group["role"]: group["weight_decay"] for group in decay_groups(make_model(), 0.1)} == {
        "matrix": 0.1,
        "qkv": 0.1,
        "embedding": 0.1,
        "vector": 0.0,
    }


def test_what_is_frozen_is_in_no_group(make_model):
    model = make_model()
    model.token_embedding.weight.requires_grad_(False)
    groups = decay_groups(model, 0.1)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters())) - 1


@pytest.mark.parametrize("n_kv_heads", [None, 1, 2])
def test_queries_keys_and_values_are_told_apart_as_attention_does(make_model, n_kv_heads):
    attention = make_model(n_heads=4, n_kv_heads=n_kv_heads).blocks[0].attention
    q, k, v = split_qkv(attention.project_qkv.weight)
    width = attention.project_qkv.in_features // attention.n_heads
    assert q.shape[0] == attention.n_heads * width
    assert k.shape[0] == v.shape[0] == attention.n_kv_heads * width
    attended = []
    attention.attend = lambda q, k, v, pattern: attended.extend((q, k, v)) or q
    torch.nn.init.zeros_(attention.project_qkv.bias)
    x = torch.randn(1, 5, q.shape[1])
    attention(x)
    for part, heads in zip((q, k, v), attended, strict=True):
        torch.testing.assert_close(rearrange(heads, "b h t e -> b t (h e)"), x @ part.mT)


def test_the_groups_of_a_small_model_and_their_order(make_model):
    model = make_model(n_layers=1, qk_norm=True, convolution=2, tied_head=False)
    names = {parameter: name for name, parameter in model.named_parameters()}
    assert {group["role"]: [names[p] for p in group["params"]] for group in decay_groups(model, 0.1)} == {
        "matrix": [
            "blocks.0.attention.project_out.weight",
            "blocks.0.mlp.expand.weight",
            "blocks.0.mlp.contract.weight",
        ],
        "qkv": ["blocks.0.attention.project_qkv.weight"],
        "embedding": ["token_embedding.weight", "position.embedding.weight", "head.weight"],
        "vector": [
            "blocks.0.convolution.taps",
            "blocks.0.norm_1.gain",
            "blocks.0.norm_1.shift",
            "blocks.0.attention.project_qkv.bias",
            "blocks.0.attention.project_out.bias",
            "blocks.0.attention.norm_q.gain",
            "blocks.0.attention.norm_k.gain",
            "blocks.0.norm_2.gain",
            "blocks.0.norm_2.shift",
            "blocks.0.mlp.expand.bias",
            "blocks.0.mlp.contract.bias",
            "norm.gain",
            "norm.shift",
        ],
    }


def test_any_module_has_groups():
    model = torch.nn.Sequential(torch.nn.Embedding(5, 4), torch.nn.Linear(4, 5))
    found = {group["role"]: [tuple(p.shape) for p in group["params"]] for group in decay_groups(model, 0.1)}
    assert found == {"matrix": [(5, 4)], "qkv": [], "embedding": [(5, 4)], "vector": [(5,)]}


def test_weights_of_more_than_two_axes_are_no_matrices_for_muon_and_decay():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4, 2))
    groups = {group["role"]: group for group in decay_groups(model, 0.1)}
    assert [tuple(p.shape) for p in groups["embedding"]["params"]] == [(4, 3, 3, 3)]
    assert groups["embedding"]["weight_decay"] == 0.1
    before, optimizer = model[0].weight.detach().clone(), Muon(list(groups.values()), lr=0.1)
    model(torch.randn(5, 3, 3, 3)).sum().backward()
    optimizer.step()
    assert not model[0].weight.equal(before)
