from typing import NamedTuple

import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.model.hooks import evaluation_mode, watched

SHAPE = {"context_length": 7, "n_layers": 2, "n_heads": 2, "d_model": 12, "norm": "rms", "position": "rope-half"}


@pytest.fixture
def model():
    return mg.GPT(mg.GPTConfig(vocab_size=11, **SHAPE), generator=torch.Generator().manual_seed(1)).eval()


@pytest.fixture
def ids():
    return torch.randint(11, (3, 5), generator=torch.Generator().manual_seed(2))


def test_every_module_is_seen_in_the_order_of_computation(model, ids):
    seen = []
    with watched(model.named_modules(), enters=lambda name, x: seen.append(f"> {name}")):
        model(ids)
    assert seen[0] == "> "
    assert seen.index("> blocks.0.attention") < seen.index("> blocks.0.mlp") < seen.index("> blocks.1") < len(seen) - 1
    assert seen[-1] == "> head"


def test_what_leaves_a_module_is_what_it_returns(model, ids):
    seen = {}
    with watched(model.named_modules(), leaves=seen.__setitem__):
        logits = model(ids)
    assert torch.equal(seen["head"], logits)
    assert torch.equal(seen["norm"] @ model.head.weight.T, logits)


def test_a_hook_replaces_what_enters_and_what_leaves(model, ids):
    x = torch.randn(3, 5, 12, generator=torch.Generator().manual_seed(3))
    with watched([("head", model.head)], enters=lambda name, _: x):
        assert torch.equal(model(ids), x @ model.head.weight.T)
    with watched([("norm", model.norm)], leaves=lambda name, _: x):
        assert torch.equal(model(ids), x @ model.head.weight.T)


def test_tensors_in_a_tuple_are_seen_and_what_is_not_a_tensor_stays():
    class Pair(nn.Module):
        def forward(self, x, factor):
            return x, factor, x * factor

    pair, seen = Pair(), []
    with watched([("pair", pair)], enters=lambda name, x: x + 1, leaves=lambda name, x: seen.append(x.tolist())):
        first, factor, product = pair(torch.tensor(2), 5)
    assert (seen, first, factor, product) == ([3, 15], 3, 5, 15)


class Named(NamedTuple):
    first: torch.Tensor
    rest: list


@pytest.mark.parametrize("kind", ["tuple", "list", "dict", "named"])
def test_tensors_in_collections_are_seen_and_replaced_in_their_place(kind):
    class Collects(nn.Module):
        def forward(self, x):
            parts = {"tuple": (x, [x + 1], None), "list": [x, {"a": x + 1}], "dict": {"a": x, "b": (x + 1,)}}
            return parts.get(kind, Named(x, [x + 1]))

    module, seen = Collects(), []
    with watched([("m", module)], leaves=lambda name, x: seen.append(int(x))):
        plain = module(torch.tensor(3))
    assert seen == [3, 4]
    with watched([("m", module)], leaves=lambda name, x: -x):
        replaced = module(torch.tensor(3))
    assert type(replaced) is type(plain)
    assert str(replaced) == str(plain).replace("tensor(3)", "tensor(-3)").replace("tensor(4)", "tensor(-4)")


def test_no_hook_is_left_behind_even_after_an_error(model, ids):
    def fails(name, x):
        raise KeyError(name)

    before = model(ids)
    with pytest.raises(KeyError, match=r"blocks\.1"), watched([("blocks.1", model.blocks[1])], leaves=fails):
        model(ids)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.equal(model(ids), before)


def test_evaluation_mode_ends_with_each_module_in_its_own_mode_even_after_an_error(model):
    def fails():
        with evaluation_mode(model):
            assert not any(module.training for module in model.modules())
            raise KeyError

    model.train().blocks[1].eval()
    before = [module.training for module in model.modules()]
    with pytest.raises(KeyError):
        fails()
    assert [module.training for module in model.modules()] == before


def test_evaluation_modes_that_overlap_end_with_the_last_one():
    model = nn.Sequential(nn.Dropout(), nn.Dropout()).train()
    model[1].eval()
    first, second = evaluation_mode(model), evaluation_mode(model)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not any(module.training for module in model.modules())
    second.__exit__(None, None, None)
    assert [module.training for module in model.modules()] == [True, True, False]
