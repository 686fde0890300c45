"""minigpt/microscope/composition.py: the products of heads, and the pair that is written into the planted circuit."""

import math

import pytest
import torch
from microscope_models import build
from planted_circuit import INDUCTION_HEAD, PREVIOUS_TOKEN_HEAD, planted
from torch import nn

from minigpt.microscope import composition_scores, k_composition, q_composition, v_composition


def full(model, layer, head):
    """W^QK and W^OV of a head, D × D, cut out of the model's own matrices one row at a time."""
    config, block = model.config, model.blocks[layer]
    h, g, e = config.n_heads, config.kv_heads, config.head_width
    gain = block.norm_1.gain if config.norm_placement == "pre" else torch.ones(config.d_model).double()
    rows, shared = block.attention.project_qkv.weight @ gain.diag(), head // (h // g)
    w_q, w_k, w_v = (rows[start * e : (start + 1) * e] for start in (head, h + shared, h + g + shared))
    w_o = block.attention.project_out.weight[:, head * e : (head + 1) * e]
    return w_q.T @ w_k, w_o @ w_v


def relative(product, *factors):
    return torch.linalg.matrix_norm(product) / math.prod(torch.linalg.matrix_norm(each) for each in factors)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "interleaved", "post-norm"])
def test_the_scores_of_a_model_are_those_of_the_products_of_its_heads(kind):
    model = build(kind)
    found = composition_scores(model)
    for reader, writer in (((2, 3), (0, 1)), ((2, 0), (1, 3)), ((1, 2), (0, 0))):
        (qk, later), (_, ov) = full(model, *reader), full(model, *writer)
        expected = relative(qk.T @ ov, qk, ov), relative(qk @ ov, qk, ov), relative(later @ ov, later, ov)
        for values, score in zip((found.q, found.k, found.v), expected, strict=True):
            torch.testing.assert_close(values[*reader, *writer], score)
    assert found.k.shape == (3, 4, 3, 4)
    assert not found.k[1, :, 1:].any() and not found.k[0].any() and found.k[1, :, 0].all()


def test_the_planted_pair_composes_through_its_keys_and_no_other_does():
    found = composition_scores(planted())
    place = (*INDUCTION_HEAD, *PREVIOUS_TOKEN_HEAD)
    assert float(found.k[place]) == pytest.approx(1 / math.sqrt(6))  # six tokens, one direction each
    assert not found.q.any() and not found.v.any() and found.k.count_nonzero() == 1


def test_the_planted_pair_stands_out_of_noise():
    model, generator = planted(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "project" in name:
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    found = composition_scores(model)
    (writer, reader, best), (*_, second) = found.pairs("k", 2)
    assert (writer, reader) == (PREVIOUS_TOKEN_HEAD, INDUCTION_HEAD) and best > 1.2 * second
    assert best > max(float(found.q.max()), float(found.v.max()))
    assert f"K     L0H0 → L1H1       {best:.3f}" in str(found)
    assert str(found).startswith("kind  writes → reads    score\n")


def test_random_matrices_have_the_baseline_whatever_their_rank():
    generator, width = torch.Generator().manual_seed(1), 64
    qk, ov = (
        torch.randn(50, width, rank, generator=generator) @ torch.randn(50, rank, width, generator=generator)
        for rank in (3, 16)
    )
    for score in (q_composition, k_composition, v_composition):
        assert float(score(qk, ov).square().mean().sqrt()) == pytest.approx(width**-0.5, rel=0.05)
    assert composition_scores(build()).baseline == pytest.approx(24**-0.5)


def test_scores_are_from_0_to_1_whatever_the_sizes_of_the_matrices():
    one = torch.zeros(3, 3).double()
    one[0, 1] = 1
    for factor in (1e-200, 1.0, 1e200):
        assert float(k_composition(factor * one, factor * one.T)) == pytest.approx(1)
    assert float(k_composition(one, one)) == 0 and float(k_composition(0 * one, one)) == 0
    assert float(q_composition(one, one)) == 1


def test_what_has_no_pairs_or_matrices_of_its_own_is_refused():
    model = build()
    with pytest.raises(ValueError, match="kind='x' is unknown; choose one of q, k, v"):
        composition_scores(model).pairs("x")
    with pytest.raises(ValueError, match="most=0"):
        composition_scores(model).pairs("q", 0)
    model.blocks[1].attention.project_out = nn.Sequential(nn.Linear(24, 24))
    with pytest.raises(ValueError, match="layer 1 has a Sequential in its attention; merge adapters first"):
        composition_scores(model)
