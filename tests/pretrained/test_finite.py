"""Weights with NaN, infinity, or numbers that a type can't hold, on their way into a file."""

import math

import pytest
import torch

import minigpt as mg
from minigpt.pretrained.finite import cast_weights

SHAPE = {"vocab_size": 9, "context_length": 8, "d_model": 8, "n_layers": 1, "n_heads": 2}
TARGETS = ["folder", "one.gguf"]
PLACES = ["token_embedding.weight", "blocks.0.mlp.contract.bias", "norm.gain"]


def model_with(number, name="blocks.0.mlp.expand.weight"):
    model = mg.GPT(mg.GPTConfig(**SHAPE)).eval()
    with torch.no_grad():
        model.get_parameter(name).view(-1)[3] = number
    return model


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=TARGETS)
def target(request, tmp_path):
    if request.param.endswith("gguf"):
        pytest.importorskip("gguf")
    return tmp_path / request.param


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize(("number", "word"), [(math.nan, "NaN"), (math.inf, "infinity"), (-math.inf, "infinity")])
def test_the_weight_is_named_and_an_earlier_model_stays(target, tmp_path, number, word, name):
    mg.save_pretrained(model_with(0.5), target)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=rf"{name} holds {word} \(1 of its \d+ numbers are not finite\)"):
        mg.save_pretrained(model_with(number, name), target)
    assert contents(tmp_path) == before


def test_nothing_is_made_where_nothing_was(target, tmp_path):
    with pytest.raises(ValueError, match="so nothing was written"):
        mg.save_pretrained(model_with(math.nan), target)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "dtype", "says"),
    [
        (65520.0, torch.float16, "65520, beyond the largest number of float16, 65504, .* write bfloat16 or float32"),
        (-1e30, torch.float16, r"1e\+30, beyond the largest number of float16"),
        (3.4e38, torch.bfloat16, r"3\.4e\+38, beyond the largest number of bfloat16, 3\.38953e\+38, .* write float32"),
    ],
)
def test_a_number_that_a_type_can_not_hold_is_named_and_the_model_stays(number, dtype, says):
    model = model_with(number)
    with pytest.raises(ValueError, match=rf"blocks\.0\.mlp\.expand\.weight holds {says}"):
        cast_weights(model, dtype)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.get_parameter("blocks.0.mlp.expand.weight").abs().max() == abs(torch.tensor(number))


def test_the_largest_number_of_a_type_is_held_and_what_rounds_to_it():
    for number in (65504.0, 65519.0):
        model = cast_weights(model_with(number), torch.float16)
        assert model.get_parameter("blocks.0.mlp.expand.weight").max() == 65504.0


def test_infinity_is_not_called_too_large():
    with pytest.raises(ValueError, match="holds infinity"):
        cast_weights(model_with(math.inf), torch.float16)
