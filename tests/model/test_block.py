import inspect

import pytest
import torch

import minigpt as mg
from minigpt.model import (
    NO_POSITIONS,
    CausalSelfAttention,
    Context,
    PostNormBlock,
    PreNormBlock,
    Rotation,
    rotary_angles,
)


def config(**changes):
    return mg.GPTConfig(
        **{"vocab_size": 11, "context_length": 16, "d_model": 12, "n_heads": 3, "n_layers": 2, **changes}
    )


def test_pre_norm_is_its_equation(assert_near):
    block = PreNormBlock(config()).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    middle = x + block.attention(block.norm_1(x))
    assert_near(block(x), middle + block.mlp(block.norm_2(middle)))


def test_post_norm_is_its_equation(assert_near):
    block = PostNormBlock(config()).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    middle = block.norm_1(x + block.attention(x))
    assert_near(block(x), block.norm_2(middle + block.mlp(middle)))


@pytest.mark.parametrize("n_kv_heads", [1, 3])
def test_the_attention_module_is_the_named_function_with_its_matrices(n_kv_heads, assert_near):
    module = CausalSelfAttention(config(n_kv_heads=n_kv_heads, bias=False)).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    w_q, w_k, w_v = module.project_qkv.weight.T.split([12, 4 * n_kv_heads, 4 * n_kv_heads], dim=1)
    expected = mg.grouped_query_attention(x, w_q, w_k, w_v, module.project_out.weight.T, (3, n_kv_heads))
    assert_near(module(x), expected)


def test_qk_norm_makes_the_scores_independent_of_the_size_of_the_input():
    module = CausalSelfAttention(config(qk_norm=True, bias=False, norm_eps=1e-12)).double()
    x = torch.randn(1, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(module(3 * x), 3 * module(x))  # the weights stay, the values grow
    plain = CausalSelfAttention(config(bias=False)).double()
    assert not torch.allclose(plain(30 * x), 30 * plain(x))


@pytest.mark.parametrize("layer", [CausalSelfAttention, PreNormBlock, PostNormBlock])
def test_a_layer_takes_its_input_and_a_context_and_nothing_else(layer):
    assert list(inspect.signature(layer.forward).parameters) == ["self", "x", "context"]


@pytest.mark.parametrize("layer", [CausalSelfAttention, PreNormBlock, PostNormBlock])
def test_a_context_changes_what_a_layer_computes_and_none_is_a_context_without_positions(layer):
    module, x = layer(config()), torch.randn(2, 5, 12)
    angles = rotary_angles(5, 4)
    contexts = [
        Context(slopes=torch.tensor([0.5, 0.2, 0.1])),
        *(Context(rotation=Rotation(angles.cos(), angles.sin(), layout)) for layout in ("interleaved", "half")),
    ]
    assert torch.equal(module(x), module(x, NO_POSITIONS))
    outputs = [module(x), *(module(x, context) for context in contexts)]
    for i, output in enumerate(outputs):
        assert all(not torch.allclose(output, other) for other in outputs[:i])


def test_dropout_acts_in_training_and_not_in_evaluation():
    block = PreNormBlock(config(dropout=0.5))
    x = torch.randn(1, 5, 12)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))
