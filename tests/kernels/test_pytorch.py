"""kernels/fused_attention.py: what PyTorch asks of an operator, and the model on top of it."""

import math
from functools import partial

import pytest
import torch
from attention_cases import DEVICE, Case, inputs
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from minigpt.cost.flops import training_flops_per_token
from minigpt.kernels import fused_attention as kernels
from minigpt.kernels.fused_attention import flash_backward, flash_forward, fused_attention
from minigpt.model import GPT, GPTConfig, next_token_loss
from minigpt.training import AdamW

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
SMALL = {"context_length": 16, "d_model": 16, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1}


def normal(*shape, dtype=torch.float32, requires_grad=False):
    return torch.randn(shape, dtype=dtype).to(DEVICE).requires_grad_(requires_grad)


def test_the_operators_keep_pytorchs_rules():
    given = inputs(Case(9, 11, heads=(2, 1), layouts=(1, 2, 4, 0)))
    q, k, v = (given[name].requires_grad_() for name in ("q", "k", "v"))
    torch.library.opcheck(flash_forward, (q, k, v, True, 0, 0.25))
    o, lse = (x.detach() for x in flash_forward(q, k, v, True, 0, 0.25))
    saved = (x.detach() for x in (q, k, v))
    torch.library.opcheck(flash_backward, (given["do"], given["dlse"], *saved, o, lse, True, 0, 0.25))


def test_a_model_compiles_whole_and_learns_the_same():
    model = GPT(GPTConfig(vocab_size=7, attention="triton", **SMALL)).to(DEVICE)
    ids = torch.randint(7, (2, 12), device=DEVICE)
    gradients = []
    for run in (model, torch.compile(model, fullgraph=True, backend="aot_eager")):
        model.zero_grad()
        next_token_loss(run(ids), ids).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_a_model_is_exported_with_the_operator_in_it_for_any_batch_and_length():
    model = GPT(GPTConfig(vocab_size=7, attention="triton", **SMALL)).to(DEVICE).eval()
    ids = torch.randint(7, (3, 12), device=DEVICE)
    any_size = {0: torch.export.Dim("B", max=64), 1: torch.export.Dim("T", min=2, max=16)}
    exported = torch.export.export(model, (ids[:2],), dynamic_shapes=(any_size,))
    assert torch.ops.minigpt.flash_forward.default in {node.target for node in exported.graph.nodes}
    torch.testing.assert_close(exported.module()(ids[:, :9]), model(ids[:, :9]))


def test_activation_checkpointing_gives_the_same_bits():
    q, k = normal(1, 2, 9, 16, requires_grad=True), normal(1, 1, 9, 16)
    gradients = [
        torch.autograd.grad(run(lambda q: fused_attention(q, k, k)[0].sin(), q).sum(), q)[0]
        for run in (lambda f, q: f(q), partial(checkpoint, use_reentrant=False))
    ]
    assert gradients[0].equal(gradients[1])


def test_vmap_is_a_call_for_each():
    q, k = normal(3, 1, 2, 9, 16), normal(3, 1, 1, 9, 16)
    o, lse = torch.vmap(fused_attention)(q, k, k)
    each = [fused_attention(*given) for given in zip(q, k, k, strict=True)]
    assert o.equal(torch.stack([o for o, _ in each])) and lse.equal(torch.stack([lse for _, lse in each]))


def test_fsdp_shards_a_model_on_it_and_learns_the_same(tmp_path):
    model = GPT(GPTConfig(vocab_size=7, attention="triton", **SMALL)).to(DEVICE)
    ids = torch.randint(7, (2, 12), device=DEVICE)
    next_token_loss(model(ids), ids).backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo" if DEVICE == "cpu" else "nccl", store=store, rank=0, world_size=1)
    try:
        mesh = init_device_mesh(DEVICE, (1,))
        for block in model.blocks:
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)
        next_token_loss(model(ids), ids).backward()
        actual = [p.grad.full_tensor() for p in model.parameters()]
    finally:
        torch.distributed.destroy_process_group()
    torch.testing.assert_close(actual, expected)


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # PyTorch's own, in forward mode
def test_derivatives_that_it_does_not_have_are_errors_and_not_zeros():
    q, k = normal(1, 1, 5, 16, requires_grad=True), normal(1, 1, 5, 16)
    with pytest.raises(ValueError, match=r"no derivative in forward mode .* use attention='formula'"):
        torch.func.jvp(lambda q: fused_attention(q, k, k)[0], (q.detach(),), (k,))
    with pytest.raises(RuntimeError, match="functorch transforms"):
        torch.func.grad(lambda q: fused_attention(q, k, k)[0].sum())(q.detach())


def test_fifty_steps_of_training_follow_the_formula():
    losses = {}
    for attention in ("formula", "triton"):
        generator = torch.Generator().manual_seed(0)
        config = GPTConfig(vocab_size=11, attention=attention, window=9, **SMALL)
        model = GPT(config, generator=generator).to(DEVICE)
        optimizer = AdamW(model.parameters(), lr=1e-2)
        losses[attention] = []
        for _ in range(50):  # counting on from a drawn number
            ids = ((torch.arange(17) + torch.randint(11, (1, 1), generator=generator)) % 11).to(DEVICE)
            loss = next_token_loss(model(ids[:, :-1]), ids[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[attention].append(loss.item())
    assert max(abs(a - b) for a, b in zip(*losses.values(), strict=True)) <= 1e-5
    assert losses["triton"][-1] < losses["triton"][0] / 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_runs_it_in_its_dtype_and_gives_gradients_in_the_inputs(dtype):
    q, k, v = normal(1, 1, 5, 16, requires_grad=True), normal(1, 1, 5, 16).to(dtype), normal(1, 1, 5, 16)
    with torch.autocast(DEVICE, dtype):
        o, lse = fused_attention(q, k, v)
    assert (o.dtype, lse.dtype) == (dtype, torch.float32)
    assert torch.autograd.grad(o.float().sum(), q)[0].dtype == torch.float32


@pytest.mark.parametrize(("options", "pairs"), [({}, 15), ({"causal": False}, 25), ({"window": 2}, 9)])
def test_the_flops_counted_are_those_of_the_pairs_that_see_each_other(options, pairs):
    q, k = normal(2, 4, 5, 8, requires_grad=True), normal(2, 2, 5, 8)
    with FlopCounterMode(display=False) as forward:
        o, _ = fused_attention(q, k, k, **options)
    with FlopCounterMode(display=False) as backward:
        o.sum().backward()
    assert forward.get_total_flops() == 2 * 4 * pairs * 8 * 4
    assert backward.get_total_flops() == 2 * 4 * pairs * 8 * 10


def test_queries_after_a_past_and_queries_without_keys_are_counted():
    assert kernels.visible_pairs(2, 5, True, 0) == 4 + 5
    assert kernels.visible_pairs(2, 5, True, 3) == 3 + 3
    assert kernels.visible_pairs(5, 2, True, 0) == 1 + 2


def test_a_models_flops_are_those_predicted_but_for_the_scores_taken_again():
    config = GPTConfig(vocab_size=7, attention="triton", **SMALL)
    model, ids = GPT(config).to(DEVICE), torch.randint(7, (2, 12), device=DEVICE)
    with FlopCounterMode(display=False) as counter:
        next_token_loss(model(ids), ids).backward()
    again = 2 * 2 * 2 * config.head_width * 12 * 13 // 2  # B H 2 E, for each of T (T + 1) / 2 pairs
    assert counter.get_total_flops() == 24 * training_flops_per_token(config, 12) + again


@pytest.mark.parametrize(
    ("q", "k", "options", "message"),
    [
        ((1, 2, 5, 8), (1, 2, 5, 4), {}, r"got q \(1, 2, 5, 8\), k \(1, 2, 5, 4\).*expected q \(B, H, T, E\)"),
        ((2, 5, 8), (2, 5, 8), {}, r"expected q \(B, H, T, E\)"),
        ((1, 3, 5, 8), (1, 2, 5, 8), {}, "expected a number of query heads that is a multiple"),
        ((1, 1, 5, 257), (1, 1, 5, 257), {}, "head width 257; the kernel takes 1 to 256: use attention='sdpa'"),
        ((1, 1, 5, 8), (1, 1, 5, 8), {"window": 0}, "window=0 with causal=True; expected .* at least 1"),
        (
            (1, 1, 5, 8),
            (1, 1, 5, 8),
            {"window": 3, "causal": False},
            "window=3 with causal=False; expected",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_what_was_expected(q, k, options, message):
    with pytest.raises(ValueError, match=message):
        fused_attention(normal(*q), normal(*k), normal(*k), **options)


def test_mixed_and_foreign_dtypes_are_refused():
    q = normal(1, 1, 5, 8)
    with pytest.raises(ValueError, match=r"got q torch.float32, k torch.float16, v torch.float32; expected one dtype"):
        fused_attention(q, q.half(), q)
    with pytest.raises(ValueError, match=r"got q torch.int64.*expected one dtype"):
        fused_attention(q.long(), q.long(), q.long())


def test_on_the_cpu_without_the_interpreter_the_message_names_what_to_use(monkeypatch):
    monkeypatch.setattr(kernels, "INTERPRETED", False)
    q = torch.randn(1, 1, 5, 8)
    with pytest.raises(ValueError, match="needs a CUDA GPU, and q is on cpu: use attention='sdpa'"):
        fused_attention(q, q, q)


def test_the_usual_scale_is_one_over_the_root_of_the_width():
    q, k, v = normal(1, 1, 5, 8), normal(1, 1, 5, 8), normal(1, 1, 5, 8)
    expected = fused_attention(q, k, v, scale=1 / math.sqrt(8))
    assert all(x.equal(y) for x, y in zip(fused_attention(q, k, v), expected, strict=True))
