"""minigpt/microscope/divergence/search.py: planted differences are named at their module, and equal models at none."""

import copy

import pytest
import torch
from einops import rearrange, repeat
from torch import nn

import minigpt as mg
from minigpt.microscope.divergence.seen import ModulePlace
from minigpt.model.backends import formula_attention
from minigpt.model.mlp import fast_gelu, fast_gelu_tanh
from minigpt.model.pattern import Pattern

SHAPE = {"vocab_size": 31, "context_length": 16, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "d_model": 24}


def seeded(number):
    return torch.Generator().manual_seed(number)


def model_of(**changes):
    """A GPT whose biases, gains and matrices are all far from their initial values."""
    model = mg.GPT(mg.GPTConfig(**{**SHAPE, "position": "rope-half", **changes}), generator=seeded(1))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.3 if parameter.dim() == 1 else 0.2
            if name != "head.weight":
                parameter.add_(scale * torch.randn(parameter.shape, generator=seeded(len(name))))
    return model


@pytest.fixture(scope="module")
def model():
    return model_of()


@pytest.fixture(scope="module")
def ids():
    return torch.randint(31, (2, 13), generator=seeded(2))


def attend_with(change):
    return lambda q, k, v, pattern: formula_attention(*change(q, k, v), pattern)


def shared_wrongly(q, k, v):
    """Key/value heads repeated as 0 1 0 1 in place of 0 0 1 1."""
    return q, *(repeat(x, "b g t e -> b (r g) t e", r=2) for x in (k, v))


def change_eps(b):
    b.blocks[1].norm_2.eps = 1e-3


def change_activation(b):
    assert b.blocks[2].mlp.activation is fast_gelu_tanh
    b.blocks[2].mlp.activation = fast_gelu


def swap_halves(b):
    rotated = b.position.context

    def swapped(*arguments):
        context = rotated(*arguments)
        return type(context)(start=context.start, rotation=context.rotation._replace(layout="interleaved"))

    b.position.context = swapped


def transpose(b):
    weight = b.blocks[1].attention.project_out.weight
    weight.data = weight.data.T.contiguous()


def move_one_weight(b):
    b.blocks[0].mlp.expand.weight.data[5, 7] += 1e-3


def drop_bias(b):
    b.blocks[2].mlp.contract.bias.data.zero_()


def narrow_window(b):
    b.blocks[1].attention.window = 12


def forget_scale(b):
    b.blocks[1].attention.attend = lambda q, k, v, pattern: formula_attention(q, k, v, Pattern(scale=1.0))


def share_heads_wrongly(b):
    b.blocks[0].attention.attend = attend_with(shared_wrongly)


def exchange_queries_and_keys(b):
    rows = b.blocks[2].attention.project_qkv.weight.data
    rows[:12] = rows[:12].flip(0)


def mix_heads(b):
    """Heads side by side in another order."""

    def mixed(q, k, v, pattern):
        z = formula_attention(q, k, v, pattern)
        return rearrange(z, "b (g r) t e -> b (r g) t e", g=2)

    b.blocks[0].attention.attend = mixed


def change_embedding(b):
    b.token_embedding.weight.data[7, 3] += 1e-3


def forget_the_residual(b):
    block = b.blocks[1]
    block.forward = lambda x, context: block.attention(block.norm_1(x), context)


def drop_final_norm(b):
    b.norm = nn.Identity()


def scale_head(b):
    b.head.weight = nn.Parameter(b.head.weight * 1.001)


PLANTED = [
    (change_eps, "blocks.1.norm_2"),
    (change_activation, "blocks.2.mlp"),
    (swap_halves, "blocks.0.attention"),
    (transpose, "blocks.1.attention.project_out"),
    (move_one_weight, "blocks.0.mlp.expand"),
    (drop_bias, "blocks.2.mlp.contract"),
    (narrow_window, "blocks.1.attention"),
    (forget_scale, "blocks.1.attention"),
    (share_heads_wrongly, "blocks.0.attention"),
    (exchange_queries_and_keys, "blocks.2.attention.project_qkv"),
    (mix_heads, "blocks.0.attention"),
    (change_embedding, "token_embedding"),
    (forget_the_residual, "blocks.1"),
    (drop_final_norm, "norm"),
    (scale_head, "head"),
]


@pytest.mark.parametrize(("plant", "module"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_difference_is_named_at_its_module(model, ids, plant, module):
    ids[0, 4] = 7
    b = copy.deepcopy(model)
    plant(b)
    found = mg.first_divergence(model, b, ids)
    assert found
    assert found.name == module
    assert str(found).startswith(f"the models part in {module}:\n")
    assert mg.first_divergence(b, model, ids).name == module


def test_a_difference_that_float32_hides_shows_in_float64(model, ids):
    b = copy.deepcopy(model)
    b.blocks[1].norm_2.eps *= 1 + 1e-3
    assert not mg.first_divergence(model, b, ids)
    assert mg.first_divergence(copy.deepcopy(model).double(), b.double(), ids).name == "blocks.1.norm_2"


def test_a_rotation_is_told_from_the_mask_by_the_place(model, ids):
    rotated, masked = copy.deepcopy(model), copy.deepcopy(model)
    swap_halves(rotated)
    narrow_window(masked)
    assert mg.first_divergence(model, rotated, ids).first.place == ModulePlace(
        "the rotated queries of", "blocks.0.attention"
    )
    found = mg.first_divergence(model, masked, ids)
    assert found.first.place == ModulePlace("what enters", "blocks.1.attention.project_out")
    assert "first at [0, 12, " in found.what  # position 12 is the first with more than 12 positions to see


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "rms", "norm_placement": "post", "mlp": "swiglu", "position": "alibi", "qk_norm": True},
        {"position": "learned", "convolution": 3, "window": 5, "tied_head": False, "bias": False},
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_models_do_not_diverge_whatever_computes_their_attention(ids, changes, dtype):
    a, b = (model_of(**changes, attention=attention).to(dtype) for attention in ("formula", "sdpa"))
    found = mg.first_divergence(a, b, ids)
    assert not found
    assert found.name == found.what == ""
    assert found.first is None
    assert len(found.points) > 40
    assert str(found).startswith(f"no divergence in {len(found.points)} places; ")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_copy_in_16_bits_is_within_its_budget_and_one_with_another_mask_is_not(model, ids, dtype):
    narrow = copy.deepcopy(model).to(dtype)
    assert not mg.first_divergence(model, narrow, ids)
    narrow_window(narrow)
    narrow.blocks[1].attention.window = 2
    assert mg.first_divergence(model, narrow, ids).name == "blocks.1.attention"


def test_a_layer_that_computes_in_16_bits_is_found(model, ids):
    class Coarse(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = copy.deepcopy(inner).bfloat16()

        def forward(self, x):
            return self.inner(x.bfloat16()).float()

    b = copy.deepcopy(model)
    b.blocks[1].mlp.expand = Coarse(b.blocks[1].mlp.expand)
    assert mg.first_divergence(model, b, ids).name == "blocks.1.mlp.expand"


def test_dropout_is_off_and_each_module_keeps_its_mode(ids):
    a = model_of(dropout=0.5).train()
    a.blocks[1].eval()
    modes = [module.training for module in a.modules()]
    assert not mg.first_divergence(a, copy.deepcopy(a), ids)
    assert [module.training for module in a.modules()] == modes


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_in_one_model_only_is_a_difference(model, ids, bad):
    b = copy.deepcopy(model)
    b.blocks[0].attention.project_out.bias.data[3] = bad
    assert mg.first_divergence(model, b, ids).name == "blocks.0.attention.project_out"
    assert not mg.first_divergence(b, copy.deepcopy(b), ids)
    assert mg.first_divergence(model, b, ids).to_object()["points"][10]["budget"] > 0


def test_models_of_other_widths_part_where_their_shapes_differ(model, ids):
    found = mg.first_divergence(model, model_of(d_hidden=40), ids)
    assert found.name == "blocks.0.mlp.expand"
    assert "shapes (2, 13, 96) and (2, 13, 40)" in found.what


def test_a_model_of_ones_own_is_compared_by_names(model, ids):
    class Own(nn.Module):
        def __init__(self, gpt):
            super().__init__()
            self.inside, self.table = gpt, gpt.head

        def forward(self, ids):
            return self.table(self.inside.features(ids)) * 1.01

    with pytest.raises(ValueError, match=r"no module of the same name.*say which is which with names="):
        mg.first_divergence(nn.Sequential(nn.Identity()), Own(model), ids)
    found = mg.first_divergence(model, Own(copy.deepcopy(model)), ids, names={"": "", "head": "table"})
    assert found.name == ""
    assert "the models part in the model:\nthe output of the model differs" in str(found)
    with pytest.raises(ValueError, match="Own has no module 'lm'; it has inside"):
        mg.first_divergence(model, Own(model), ids, names={"head": "lm"})


@pytest.mark.parametrize("packed", [{"a": 1}, [1], ((1,),), (0, 1)], ids=["dict", "list", "nested", "second"])
def test_what_a_module_returns_in_a_collection_is_compared(ids, packed):
    class Packs(nn.Module):
        def __init__(self, off):
            super().__init__()
            self.off = nn.Parameter(torch.tensor(off))

        def forward(self, ids):
            return fill(packed, [torch.ones(2, 3), torch.ones(2, 3) + self.off])

    assert mg.first_divergence(Packs(0.0), Packs(1.0), ids)
    assert not mg.first_divergence(Packs(1.0), Packs(1.0), ids)


def fill(packed, tensors):
    """The same collection with tensors in place of their numbers."""
    if isinstance(packed, dict):
        return {key: fill(each, tensors) for key, each in packed.items()}
    return type(packed)(fill(each, tensors) for each in packed) if not isinstance(packed, int) else tensors[packed]


@pytest.mark.parametrize("nothing", [torch.zeros(0, 4, dtype=torch.long), [[1, 2]], None])
def test_ids_without_a_token_are_refused(model, nothing):
    with pytest.raises(ValueError, match=r"ids must be a tensor \(B, T\) with at least one token, got"):
        mg.first_divergence(model, model, nothing)
