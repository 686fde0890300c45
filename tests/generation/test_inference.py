"""minigpt/generation/inference.py: a copy that only writes, and how far it is from its model."""

import pickle
from copy import deepcopy

import pytest
import torch

import minigpt as mg
from minigpt.generation import inference
from minigpt.generation.inference import Int8Linear, RowsLinear, int8_weights

BOUNDS = {"float32": 2e-6, "bfloat16": 0.03, "int8": 0.05}


def make_model(**changes):
    base = {"vocab_size": 65, "context_length": 32, "d_model": 64, "n_heads": 4, "n_layers": 2, "init_std": 0.1}
    return mg.GPT(mg.GPTConfig(**base | changes), generator=torch.Generator().manual_seed(0)).eval()


@pytest.mark.parametrize("weights", BOUNDS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bias": False, "mlp": "swiglu", "norm": "rms", "n_kv_heads": 2, "position": "rope-half"},
        {"tied_head": False, "convolution": 3, "window": 5, "qk_norm": True, "position": "alibi"},
    ],
    ids=["gpt2", "llama", "others"],
)
def test_a_copy_is_close_to_its_model_with_and_without_a_cache(weights, changes):
    model = make_model(**changes)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 1.0 if parameter.dim() == 1 else 0.0, 0.1)
    copy, ids = mg.for_generation(model, weights), torch.randint(0, 65, (2, 30))
    with torch.no_grad():
        expected, cache = model(ids), copy.new_cache(2, 30)
        steps = torch.cat([copy(part, cache) for part in ids.split((21, *[1] * 9), dim=1)], dim=1)
        for actual in (copy(ids), steps):
            error = (actual.float() - expected).abs().max() / expected.abs().max()
            assert error < BOUNDS[weights]
            assert (error > 1e-4) == (weights != "float32")
    assert cache.dtype == torch.float32  # in which attention on a CPU computes


def test_a_copy_leaves_its_model_as_it_was():
    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    copy = mg.for_generation(model, "int8")
    copy.token_embedding.weight.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.has_tied_head and all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("weights", BOUNDS)
@pytest.mark.parametrize("tied_head", [True, False])
def test_a_copy_has_as_many_parameters_as_its_model(weights, tied_head):
    model = make_model(tied_head=tied_head)
    copy = mg.for_generation(model, weights)
    again = pickle.loads(pickle.dumps(copy))
    assert model.config.n_parameters == copy.n_parameters == deepcopy(copy).n_parameters == again.n_parameters
    assert model.n_parameters == model.config.n_parameters


def test_8_bits_are_a_byte_a_number_and_the_head_has_its_own():
    model = make_model()
    layers = [m for m in mg.for_generation(model, "int8").modules() if isinstance(m, Int8Linear)]
    matrices = [m.weight for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert [layer.q.nbytes for layer in layers] == [w.numel() for w in matrices]
    for layer, w in zip(layers, matrices, strict=True):
        step = w.abs().amax(1, keepdim=True) / 127
        assert ((layer.q * step - w).abs() <= step / 2 * 1.0001).all()


@pytest.mark.parametrize("n_rows", [1, 3, inference.FEW_ROWS, inference.FEW_ROWS + 1])
@pytest.mark.parametrize("width", [20, 24, 64, 96])
def test_few_rows_and_many_of_any_width_have_the_same_product(n_rows, width):
    layer, x = Int8Linear(torch.nn.Linear(width, 40)), torch.randn(n_rows, width).bfloat16()
    expected = x.double() @ (layer.q.double() * layer.scales.double()[:, None]).T + layer.bias.double()
    torch.testing.assert_close(layer(x).double(), expected, rtol=0.02, atol=0.02)
    assert layer(x[None]).shape == (1, n_rows, 40)


def test_a_row_of_zeros_stays_zero():
    q, scales = int8_weights(torch.tensor([[0.0, 0.0], [0.5, -2.0]]))
    assert q.tolist() == [[0, 0], [32, -127]]
    torch.testing.assert_close(scales, torch.tensor([0.0, 2 / 127]))


def test_a_copy_refuses_training_and_being_copied_again():
    copy = mg.for_generation(make_model())
    with pytest.raises(ValueError, match="only writes; train the model that it was made from"):
        copy.train()
    assert not any(p.requires_grad for p in copy.parameters())
    with pytest.raises(ValueError, match="a copy made by for_generation; make another one from the model itself"):
        mg.for_generation(copy, "int8")
    with pytest.raises(ValueError, match="weights='int4'"):
        mg.for_generation(make_model(), "int4")


def test_generation_with_a_copy_leaves_it_in_evaluation_mode():
    copy = mg.for_generation(make_model(), "int8")
    ids = mg.generate_ids(copy, torch.tensor([[1, 2]]), max_new_tokens=5, generator=torch.Generator())
    assert ids.shape == (1, 7) and not copy.training


@pytest.mark.parametrize("n_parts", [1, 2, 3, 8])
@pytest.mark.parametrize("n_columns", [1, 2, 7, 24])
def test_a_part_of_the_columns_for_each_thread_is_the_whole_product(n_parts, n_columns, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_parts)
    for shape in ((1, 1, 5), (3, 5), (inference.FEW_ROWS + 1, 5)):
        x, weight, bias = torch.randn(shape), torch.randn(n_columns, 5), torch.randn(n_columns)
        expected = x.double() @ weight.double().T + bias.double()
        actual = inference.linear_by_columns(x, weight.T.contiguous(), bias)
        torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)


def test_a_copy_has_no_dropout_to_go_through():
    model = make_model(dropout=0.3)
    copy = mg.for_generation(model)
    assert not any(isinstance(module, torch.nn.Dropout) for module in copy.modules())
    assert not any(module.training for module in copy.modules())  # else each token would set and reset the mode
    assert any(isinstance(module, torch.nn.Dropout) for module in model.modules())


@pytest.mark.parametrize("in_blocks", [True, False])
@pytest.mark.parametrize(("width", "n_outputs", "bias"), [(20, 41, True), (64, 96, False), (7, 3, True)])
def test_a_matrix_in_blocks_has_the_same_product_and_survives_copies(in_blocks, width, n_outputs, bias, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: in_blocks)
    linear = torch.nn.Linear(width, n_outputs, bias=bias)
    layer = RowsLinear(linear)
    assert torch.equal(layer.weight, linear.weight.bfloat16())
    copies = (layer, deepcopy(layer), pickle.loads(pickle.dumps(layer)), deepcopy(layer).to(torch.bfloat16))
    assert all(each.matrix.is_mkldnn == layer.matrix.is_mkldnn for each in copies)
    for shape in ((1, 1, width), (5, width), (2, 33, width)):
        x = torch.randn(shape).bfloat16()
        exact = x.double() @ linear.weight.bfloat16().double().T
        exact = exact if linear.bias is None else exact + linear.bias.bfloat16().double()
        for each in copies:
            torch.testing.assert_close(each(x).double(), exact, rtol=0.01, atol=0.01)
    wide = deepcopy(layer).float()
    torch.testing.assert_close(wide(x.float()).double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weights", BOUNDS)
def test_the_state_of_a_copy_makes_another_copy_the_same(weights):
    ids = torch.arange(12).view(2, 6)
    copy, other = (mg.for_generation(make_model(init_std=std), weights) for std in (0.1, 0.3))
    before = copy(ids)
    assert not torch.equal(other(ids), before)
    other.load_state_dict(copy.state_dict())
    copy.load_state_dict(mg.for_generation(make_model(init_std=0.2), weights).state_dict())  # and shares nothing
    assert torch.equal(other(ids), before)


def test_a_matrix_of_another_shape_is_refused():
    layer, other = RowsLinear(torch.nn.Linear(8, 16)), RowsLinear(torch.nn.Linear(16, 8))
    other.bias = layer.bias
    with pytest.raises(ValueError, match=r"a matrix \(8, 16\); expected \(16, 8\)"):
        layer.load_state_dict(other.state_dict())


@pytest.mark.parametrize("kind", [RowsLinear, Int8Linear])
@pytest.mark.parametrize("n_rows", [3, inference.FEW_ROWS + 1])
def test_a_gradient_goes_through_a_copy_as_through_its_matrix(kind, n_rows):
    layer, x = kind(torch.nn.Linear(64, 40)), torch.randn(n_rows, 64).bfloat16().requires_grad_()
    y = layer(x)
    h = torch.randn_like(y)
    (gradient,) = torch.autograd.grad(y, x, h)
    torch.testing.assert_close(gradient.double(), h.double() @ layer.weight.double(), rtol=0.01, atol=0.02)
    each = torch.vmap(layer)(x.detach())
    torch.testing.assert_close(each.double(), layer(x.detach()).double(), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("kind", [RowsLinear, Int8Linear])
def test_a_layer_of_a_copy_computes_the_same_within_torch_compile(kind):
    layer, x = kind(torch.nn.Linear(64, 40)), torch.randn(3, 64).bfloat16()
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(layer, backend="eager")(x), layer(x))


@pytest.mark.parametrize("kind", [RowsLinear, Int8Linear])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_takes_a_layer_of_a_copy_for_any_other(kind, dtype):
    layer, x = kind(torch.nn.Linear(64, 40)), torch.randn(3, 64)
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        y = layer(x)
    assert y.dtype == dtype
    expected = x.double() @ layer.weight.double().T + layer.bias.double()
    torch.testing.assert_close(y.double(), expected, rtol=0.02, atol=0.02)
