"""minigpt/microscope/divergence/counterparts.py: our GPT-2 and that of transformers, module by module."""

import pytest
import torch

import minigpt as mg
from minigpt.microscope.divergence.counterparts import counterparts

transformers = pytest.importorskip("transformers", reason="compares with transformers: install the hf extra")

SHAPE = {"vocab_size": 29, "context_length": 16, "n_layers": 2, "n_heads": 3, "d_model": 12, "mlp": "gelu-tanh"}


@pytest.fixture(scope="module")
def ids():
    return torch.randint(29, (2, 11), generator=torch.Generator().manual_seed(1))


def twins(folder, tied=True, **fields):
    """A model of ours with random weights everywhere, and the same weights in transformers with some other fields."""
    model = mg.GPT(mg.GPTConfig(**SHAPE, tied_head=tied), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name)))
            parameter.add_(0.3 * drawn)
    mg.save_pretrained(model, folder)
    return model, transformers.GPT2LMHeadModel.from_pretrained(folder, **fields).eval()


@pytest.mark.parametrize("tied", [True, False])
def test_the_twin_in_transformers_agrees_in_every_module(tmp_path, ids, tied):
    ours, theirs = twins(tmp_path, tied)
    there, back = mg.first_divergence(ours, theirs, ids), mg.first_divergence(theirs, ours, ids)
    assert not there
    assert not back
    seen = {str(point.place) for point in there.points}
    assert {"the output of blocks.1", "what enters blocks.1.mlp.contract", "the output of head"} <= seen
    assert "the output of transformer.h.1.attn.c_proj" in {str(point.place) for point in back.points}
    assert not mg.first_divergence(ours.double(), theirs.double(), ids)


@pytest.mark.parametrize(
    ("fields", "module"),
    [
        ({"activation_function": "gelu"}, "blocks.0.mlp"),
        ({"layer_norm_epsilon": 1e-2}, "blocks.0.norm_1"),
        ({"scale_attn_weights": False}, "blocks.0.attention"),
        ({"scale_attn_by_inverse_layer_idx": True}, "blocks.1.attention"),
    ],
)
def test_another_setting_in_transformers_is_named_at_its_module(tmp_path, ids, fields, module):
    ours, theirs = twins(tmp_path, **fields)
    assert mg.first_divergence(ours, theirs, ids).name == module


def test_a_weight_that_was_not_transposed_is_named(tmp_path, ids):
    ours, theirs = twins(tmp_path)
    weight = theirs.transformer.h[1].attn.c_proj.weight
    weight.data = weight.data.T.contiguous()
    assert mg.first_divergence(ours, theirs, ids).name == "blocks.1.attention.project_out"
    assert mg.first_divergence(theirs, ours, ids).name == "transformer.h.1.attn.c_proj"


def test_every_module_of_ours_that_computes_has_a_counterpart(tmp_path):
    ours, theirs = twins(tmp_path)
    alone = {name for name, _ in ours.named_modules()} - counterparts(ours, theirs).keys()
    inside = {f"blocks.{layer}.{part}" for layer in (0, 1) for part in ("convolution", "drop")}
    inside |= {f"blocks.{layer}.attention.norm_{part}" for layer in (0, 1) for part in "qk"}
    assert alone == inside | {"position"}
