"""kernels/head_tiles.py through kernels/fused_cross_entropy.py: the numbers, what PyTorch asks, and training on it."""

import pytest
import torch
from attention_cases import DEVICE
from head_cases import HeadCase, check, check_frozen, computed, inputs, matrix
from torch.utils.flop_counter import FlopCounterMode

import minigpt as mg
from minigpt import equations
from minigpt.kernels import fused_cross_entropy as kernels
from minigpt.kernels.fused_cross_entropy import fused_cross_entropy, head_loss, head_loss_backward
from minigpt.kernels.tile_sizes import HeadTiles
from minigpt.model.fused import triton_next_token_loss
from minigpt.training import TrainConfig

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")


def normal(*shape, dtype=torch.float32, requires_grad=False):
    return torch.randn(shape, dtype=dtype).to(DEVICE).requires_grad_(requires_grad)


def tokens(*shape, below):
    return torch.randint(below, shape).to(DEVICE)


@pytest.mark.parametrize("case", matrix(), ids=str)
def test_the_loss_and_its_gradients_are_those_of_all_logits_in_float64(case):
    check(case)


def test_the_loss_is_the_equation_taken_literally():
    x, weight, targets = normal(4, 3), normal(5, 3), tokens(4, below=5)
    given = {"x": x.double().cpu(), "W": weight.double().cpu(), "c": targets.cpu() + 1, "w": [1, 1, 0, 1]}
    targets[2] = -100
    loss = triton_next_token_loss(x, weight, targets)
    assert loss.item() == pytest.approx(float(equations.get("head-loss").evaluate(**given)), rel=1e-6)


def test_the_same_bits_come_out_every_time():
    case = HeadCase(33, 24, 101, torch.bfloat16, smoothing=0.1)
    runs = [computed(case, inputs(case)) for _ in range(2)]
    assert all(a.equal(b) for a, b in zip(*runs, strict=True))


def test_only_the_gradient_that_is_wanted_is_computed():
    check_frozen()


def test_without_a_row_or_a_target_loss_and_gradients_are_0():
    x, weight = normal(6, 4, requires_grad=True), normal(5, 4, requires_grad=True)
    for rows in (slice(None), slice(0)):
        loss = triton_next_token_loss(x[rows], weight, torch.full((6,), -100, device=DEVICE)[rows])
        assert loss.item() == 0
        assert all((g == 0).all() for g in torch.autograd.grad(loss, (x, weight)))


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.25}], ids=str)
def test_gradients_are_those_of_finite_differences(options):
    x, weight = (
        normal(5, 3, dtype=torch.float64, requires_grad=True),
        normal(8, 3, dtype=torch.float64, requires_grad=True),
    )
    targets = torch.tensor([0, 7, -100, 3, 3], device=DEVICE)
    assert torch.autograd.gradcheck(
        lambda *given: fused_cross_entropy(*given, targets, **options), (x, weight), fast_mode=True
    )


def test_no_tensor_of_all_logits_is_ever_made(nothing_as_large_as, monkeypatch):
    monkeypatch.setattr(kernels, "head_tiles_for", lambda *_: HeadTiles(32, 32, 16, 4, 2))
    monkeypatch.setattr(kernels, "PART", 60 * 64)
    x, weight, targets = normal(60, 8), normal(200, 8), tokens(60, below=200)
    with nothing_as_large_as(60 * 64 + 1) as made:
        loss, lse = kernels.summed_loss(x, weight, targets, 0.0)
        kernels.gradients(loss, x, weight, targets, lse, 0.0, [True, True])
    assert {60 * 64, 200 * 8} <= made.sizes  # a part of the logits' gradient, and the matrix's


def test_the_operators_keep_pytorchs_rules():
    x, weight, targets = normal(9, 8, requires_grad=True), normal(11, 8, requires_grad=True), tokens(9, below=11)
    torch.library.opcheck(head_loss, (x, weight, targets, 0.1))
    _, lse = head_loss(x, weight, targets, 0.1)
    given = (torch.tensor(2.0, device=DEVICE), x.detach(), weight.detach(), targets, lse.detach(), 0.1)
    for wants in ([True, True], [False, True], [True, False]):
        torch.library.opcheck(head_loss_backward, (*given, wants))


def test_it_compiles_whole_and_gives_the_same():
    x, weight, targets = normal(9, 8, requires_grad=True), normal(11, 8, requires_grad=True), tokens(9, below=11)
    expected, actual = (
        torch.autograd.grad(run(x, weight, targets), (x, weight))
        for run in (fused_cross_entropy, torch.compile(fused_cross_entropy, fullgraph=True, backend="aot_eager"))
    )
    torch.testing.assert_close(actual, expected)


def test_the_flops_are_those_of_the_products():
    x, weight, targets = normal(9, 8, requires_grad=True), normal(11, 8, requires_grad=True), tokens(9, below=11)
    for leaves, products in (((x, weight), 3), ((x, weight.detach()), 2)):
        with FlopCounterMode(display=False) as forward:
            loss = fused_cross_entropy(*leaves, targets)
        with FlopCounterMode(display=False) as backward:
            loss.backward()
        assert forward.get_total_flops() == 2 * 9 * 8 * 11
        assert backward.get_total_flops() == products * 2 * 9 * 8 * 11


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_runs_it_in_its_dtype_and_gives_gradients_in_the_inputs(dtype):
    x, weight, targets = normal(9, 16).to(dtype), normal(11, 16, requires_grad=True), tokens(9, below=11)
    with torch.autocast(DEVICE, dtype):
        loss = fused_cross_entropy(x, weight, targets)
    (gradient,) = torch.autograd.grad(loss, weight)
    rounded = weight.detach().to(dtype).double().requires_grad_()
    expected = mg.next_token_loss(x.double() @ rounded.T, targets, reduction="sum")
    (exact,) = torch.autograd.grad(expected, rounded)
    assert (loss.dtype, gradient.dtype) == (torch.float32, torch.float32)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert (gradient - exact).abs().max() <= 8e-3 * exact.abs().max()


@pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.2}], ids=str)
def test_training_follows_the_curves_of_the_logits(changes):
    tokenizer = mg.CharTokenizer.train(text := "the cat sat on the mat. the dog sat on the log. " * 8)
    data = mg.TokenDataset.from_text(text, tokenizer, 16)
    shape = {"vocab_size": tokenizer.vocab_size, "context_length": 16, "d_model": 16, "n_heads": 2, "n_layers": 1}
    curves = []
    for loss in ("logits", "triton"):
        model = mg.GPT(mg.GPTConfig(**shape), generator=torch.Generator().manual_seed(0))
        config = TrainConfig(steps=12, batch_size=4, eval_every=0, device=DEVICE, loss=loss, **changes)
        rows = mg.train(model, data, config, validation=data, progress=False).rows
        curves.append([row["loss"] for row in rows] + [rows[-1]["validation_loss"]])
    assert curves[1] == pytest.approx(curves[0], abs=1e-6)
    assert curves[0][-2] < curves[0][0]


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # PyTorch's own, in forward mode
def test_a_derivative_in_forward_mode_is_an_error_and_not_zero():
    x, weight, targets = normal(5, 8), normal(7, 8), tokens(5, below=7)
    with pytest.raises(ValueError, match="the fused loss has no derivative in forward mode"):
        torch.func.jvp(lambda x: fused_cross_entropy(x, weight, targets), (x,), (x,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": torch.zeros(2, 4, dtype=torch.int64)}, r"got x \(2, 5, 3\), .* expected x \(..., D\)"),
        ({"weight": torch.zeros(7, 4)}, r"weight \(7, 4\)"),
        ({"weight": torch.zeros(7, 3).double()}, "weight torch.float64, .* expected one dtype"),
        ({"targets": torch.zeros(2, 5)}, "targets torch.float32; expected .* torch.int64"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    given = {"x": torch.zeros(2, 5, 3), "weight": torch.zeros(7, 3), "targets": torch.zeros(2, 5, dtype=torch.int64)}
    with pytest.raises(ValueError, match=message):
        fused_cross_entropy(**{name: t.to(DEVICE) for name, t in {**given, **changes}.items()})


def test_on_the_cpu_without_the_interpreter_the_message_names_what_to_use(monkeypatch):
    monkeypatch.setattr(kernels, "INTERPRETED", False)
    with pytest.raises(ValueError, match="needs a CUDA GPU, and x is on cpu: use loss='chunked'"):
        triton_next_token_loss(torch.zeros(1, 2, 3), torch.zeros(4, 3), torch.zeros(1, 2, dtype=torch.int64))
