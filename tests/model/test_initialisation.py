import math

import pytest
import torch

import minigpt as mg
from minigpt.model import INITIALISATIONS
from minigpt.model.initialisation import shapes_alone


def model(**changes):
    shape = {"vocab_size": 40, "context_length": 64, "d_model": 64, "n_heads": 2, "n_layers": 3}
    return mg.GPT(mg.GPTConfig(**shape, **changes), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", INITIALISATIONS)
@pytest.mark.parametrize("std", [0.02, 0.1])
def test_every_weight_has_the_deviation_of_its_role(name, std):
    residual = {"gpt2": std / math.sqrt(6), "plain": std, "zero": 0.0}[name]
    for parameter_name, parameter in model(initialisation=name, init_std=std).named_parameters():
        expected = std
        if parameter_name.endswith(("project_out.weight", "contract.weight")):
            expected = residual
        elif parameter_name == "position.embedding.weight":
            expected = std / 2
        elif parameter.dim() < 2:
            expected = 0.0
        assert parameter.std().item() == pytest.approx(expected, rel=0.1), parameter_name


def test_with_zero_each_block_starts_as_the_identity():
    blocks = model(initialisation="zero").blocks
    x = torch.randn(2, 5, 64)
    assert blocks[0](x).equal(x)


def test_the_same_generator_draws_the_same_weights():
    for a, b in zip(model().parameters(), model().parameters(), strict=True):
        assert a.equal(b)


def test_shapes_alone_are_those_of_the_model_and_nothing_is_drawn_for_them():
    config, before = mg.GPTConfig.preset("nano", vocab_size=57, convolution=3, tied_head=False), torch.get_rng_state()
    with shapes_alone():
        empty = mg.GPT(config)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.is_meta for parameter in empty.parameters())
    shapes = [{name: p.shape for name, p in model.named_parameters()} for model in (empty, mg.GPT(config))]
    assert shapes[0] == shapes[1]
