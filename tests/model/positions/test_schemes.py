import pytest
import torch

import minigpt as mg
from minigpt.model import POSITIONS

CPU = torch.device("cpu")


@pytest.fixture(params=POSITIONS)
def scheme(request):
    return POSITIONS[request.param](12, 8, 2)


def parts(context):
    """The tensors of a context that go by position."""
    return [] if context.rotation is None else [context.rotation.cos, context.rotation.sin]


def test_a_row_that_starts_later_gets_the_rest_of_a_longer_row(scheme):
    whole, rest = scheme.context(7, CPU), scheme.context(4, CPU, start=3)
    assert (whole.start, rest.start) == (0, 3)
    x = torch.randn(2, 7, 8)
    assert torch.equal(scheme.add_to(x[:, 3:], rest), scheme.add_to(x, whole)[:, 3:])
    for a, b in zip(parts(whole), parts(rest), strict=True):
        assert torch.equal(a[3:], b)
    assert (whole.slopes is None) == (rest.slopes is None)


def test_without_a_context_a_row_starts_at_the_first_position(scheme):
    x = torch.randn(2, 7, 8)
    assert torch.equal(scheme.add_to(x), scheme.add_to(x, scheme.context(7, CPU)))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("none", []),
        ("sinusoidal", []),
        ("learned", []),
        ("rope-interleaved", ["rotation"]),
        ("rope-half", ["rotation"]),
        ("alibi", ["slopes"]),
    ],
)
def test_each_scheme_acts_in_one_way(name, fields):
    scheme, x = POSITIONS[name](12, 8, 2), torch.randn(1, 5, 8)
    context = scheme.context(5, CPU)
    assert [field for field in ("rotation", "slopes") if getattr(context, field) is not None] == fields
    assert torch.equal(scheme.add_to(x, context), x) == (name not in ("sinusoidal", "learned"))


@pytest.mark.parametrize("layout", ["interleaved", "half"])
def test_the_rotation_has_the_layout_of_its_scheme_and_float32(layout):
    rotation = POSITIONS[f"rope-{layout}"](12, 8, 2).double().context(5, CPU).rotation
    assert rotation.layout == layout
    assert rotation.cos.shape == rotation.sin.shape == (5, 2)
    assert rotation.cos.dtype == torch.float32


@pytest.mark.parametrize("position", ["rope-interleaved", "rope-half", "alibi", "none"])
def test_a_block_depends_on_the_offsets_between_positions_and_not_on_the_start(position, assert_near):
    model = mg.GPT(mg.GPTConfig(vocab_size=5, context_length=40, d_model=8, n_heads=2, n_layers=1, position=position))
    block, x = model.double().blocks[0], torch.randn(1, 6, 8, dtype=torch.float64)
    near, far = (model.position.context(6, CPU, start=start) for start in (0, 30))
    torch.testing.assert_close(block(x, near), block(x, far), rtol=0, atol=1e-5)  # angles are float32
    assert torch.equal(block(x, near), block(x)) == (position == "none")
