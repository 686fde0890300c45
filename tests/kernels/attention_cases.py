"""What the attention kernels are asked for, and the reference: ``minigpt.masked_attention`` in float64.

A case runs in hostile surroundings. Every input is a view into a buffer of NaN, laid out in one of five ways; outputs
are full of NaN before the run and must leave the memory around them alone.
"""

import itertools
import math
import mmap
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch

from minigpt.kernels import fused_attention as kernels
from minigpt.kernels.tile_sizes import Tiles
from minigpt.model import causal_mask, masked_attention
from minigpt.model.heads import share_heads

# Largest error of the output, of the gradients and of the log-sum-exp, against float64: of outputs relative to the
# largest value, of gradients to the largest gradient of that input, of the log-sum-exp to itself where it passes 1.
TOLERANCES = {
    torch.float64: (1e-14, 1e-13, 1e-14),
    torch.float32: (2e-6, 5e-6, 3e-6),
    torch.float16: (1e-3, 3e-3, 3e-6),
    torch.bfloat16: (8e-3, 2.5e-2, 3e-6),
}
SENTINEL = 777.0
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"  # without a GPU in Triton's interpreter


@dataclass(frozen=True)
class Case:
    """One call: its shape, its options and how its inputs lie in memory."""

    n_queries: int
    n_keys: int
    dtype: torch.dtype = torch.float32
    causal: bool = True
    window: int | None = None
    scale: float | None = None
    width: int = 16
    batch: int = 1
    heads: tuple[int, int] = (1, 1)
    layouts: tuple[int, int, int, int] = (0, 0, 0, 0)
    blocks: tuple[int, int] = (32, 32)
    largest_score: float = 3.0
    seed: int = 0

    def __str__(self) -> str:
        kind = f"window{self.window}" if self.window else "causal" if self.causal else "full"
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{self.n_queries}x{self.n_keys}-{kind}-{dtype}-E{self.width}-{self.heads[0]}over{self.heads[1]}"


def strided(x: torch.Tensor, layout: int) -> torch.Tensor:
    """The numbers of ``x`` as a view into a buffer of NaN, in one of five memory layouts."""
    b, h, t, e = x.shape
    buffer, view = {
        0: ((b, h, t + 2, e), lambda y: y[:, :, 1:-1]),  # heads apart
        1: ((b, t + 2, h, e), lambda y: y[:, 1:-1].transpose(1, 2)),  # heads of a position side by side
        2: ((b, t, 3, h + 1, e + 3), lambda y: y[:, :, 1, :h, 2:-1].transpose(1, 2)),  # q, k and v side by side
        3: ((h, 2 * t + 1, b, e), lambda y: y[:, 1::2].permute(2, 0, 1, 3)),  # every second row
        4: ((b, h, e, t + 1), lambda y: y[..., 1:].transpose(2, 3)),  # columns side by side
    }[layout]
    return view(torch.full(buffer, math.nan, dtype=x.dtype, device=DEVICE)).copy_(x)


def inputs(case: Case) -> dict[str, torch.Tensor]:
    """q, k, v and the gradients of output and log-sum-exp."""
    generator = torch.Generator().manual_seed(case.seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    (n_heads, n_groups), t, s, e, b = case.heads, case.n_queries, case.n_keys, case.width, case.batch
    given = {"q": draw(b, n_heads, t, e), "k": draw(b, n_groups, s, e), "v": draw(b, n_groups, s, e)}
    scale = 1 / math.sqrt(e) if case.scale is None else case.scale
    scores = scale * given["q"] @ share_heads(given["k"], n_heads).mT
    if scores.numel():
        given["q"] = given["q"] * (case.largest_score / scores.abs().max())
    given["do"] = draw(b, n_heads, t, e)
    laid_out = zip(given, given.values(), case.layouts, strict=True)
    dlse = draw(b, t, n_heads).to(DEVICE, torch.promote_types(case.dtype, torch.float32)).transpose(1, 2)
    return {**{name: strided(x.to(case.dtype), layout) for name, x, layout in laid_out}, "dlse": dlse}


def reference(given: dict[str, torch.Tensor], case: Case) -> dict[str, torch.Tensor]:
    """Output, log-sum-exp and gradients in float64."""
    given = {name: x.detach().double().cpu() for name, x in given.items()}
    q, k, v = (given[name].requires_grad_() for name in ("q", "k", "v"))
    mask = torch.ones(case.n_queries, case.n_keys, dtype=torch.bool)
    if case.causal:
        mask = causal_mask(case.n_queries, case.n_keys, window=case.window)
    keys, values = (share_heads(x, case.heads[0]) for x in (k, v))
    o = masked_attention(q, keys, values, mask, case.scale)
    scale = 1 / math.sqrt(case.width) if case.scale is None else case.scale
    lse = (scale * q @ keys.mT).masked_fill(~mask, -math.inf).logsumexp(-1)
    sees = mask.any(-1)
    dq, dk, dv = torch.autograd.grad([o, lse[..., sees]], [q, k, v], [given["do"], given["dlse"][..., sees]])
    return {"o": o.detach(), "lse": lse.detach(), "dq": dq, "dk": dk, "dv": dv}


def computed(given: dict[str, torch.Tensor], case: Case) -> dict[str, torch.Tensor]:
    """The same by the kernels."""
    q, k, v = (given[name].detach().requires_grad_() for name in ("q", "k", "v"))
    with surroundings(case.blocks):
        o, lse = kernels.fused_attention(q, k, v, causal=case.causal, window=case.window, scale=case.scale)
        dq, dk, dv = torch.autograd.grad([o, lse], [q, k, v], [given["do"], given["dlse"]])
    return {name: x.detach().cpu() for name, x in {"o": o, "lse": lse, "dq": dq, "dk": dk, "dv": dv}.items()}


@contextmanager
def surroundings(blocks: tuple[int, int]):
    """Tiles of a size; outputs full of NaN, in buffers whose margins must not change."""
    margins = []

    def poisoned(allocate):
        def allocated(x):
            shape, margin = allocate(x.to("meta")), 4096
            buffer = shape.new_full((shape.numel() + 2 * margin,), SENTINEL, device=x.device)
            margins.extend([buffer[:margin], buffer[-margin:]])
            buffer[margin:-margin] = math.nan
            return buffer.as_strided(shape.shape, shape.stride(), margin)

        return allocated

    tiles = Tiles(*blocks, 4, 2)
    with (
        patch.object(kernels, "_heads_like", poisoned(kernels._heads_like)),
        patch.object(kernels, "_rows_like", poisoned(kernels._rows_like)),
        patch.object(kernels, "tiles_for", lambda *_: tiles),
    ):
        yield
    assert all((margin == SENTINEL).all() for margin in margins), "memory around an output was written to"


def errors(case: Case, given: dict[str, torch.Tensor]) -> dict[str, tuple[float, float]]:
    """The error of each result and its bound."""
    expected, actual = reference(given, case), computed(given, case)
    for_o, for_gradients, for_lse = TOLERANCES[case.dtype]
    unit = {"o": given["v"].double().abs().max(), "lse": expected["lse"].abs().clamp(min=1)}
    bounds = {"o": for_o, "lse": for_lse, "dq": for_gradients, "dk": for_gradients, "dv": for_gradients}
    result = {}
    for name, exact in expected.items():
        assert actual[name].shape == exact.shape, name
        assert actual[name].dtype == (given["dlse"] if name == "lse" else given["q"]).dtype, name
        assert actual[name].isinf().equal(exact.isinf()), name
        finite = exact.isfinite()
        off = ((actual[name].double() - exact) / unit.get(name, exact.abs().max().clamp(min=1e-300)))[finite]
        result[name] = (off.abs().nan_to_num(math.inf).max().item() if off.numel() else 0.0, bounds[name])
    return result


def check(case: Case, given: dict[str, torch.Tensor] | None = None) -> dict[str, tuple[float, float]]:
    """The errors on some inputs, drawn unless given; none is above its bound."""
    found = errors(case, inputs(case) if given is None else given)
    over = {name: f"{error:.1e} > {bound:.1e}" for name, (error, bound) in found.items() if not error <= bound}
    assert not over, f"{case}: {over}"
    return found


SHAPES = [(64, 64), (1, 1), (1, 77), (33, 65), (65, 33), (97, 96), (31, 32), (129, 129)]
KINDS = [{"causal": True}, {"causal": False}, {"window": 1}, {"window": 20}, {"window": 64}]
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
HEADS = [(2, 2), (2, 1), (3, 1), (4, 1), (1, 1), (4, 2)]
LAYOUTS = [(0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 0), (3, 4, 0, 1), (4, 0, 1, 2)]
SMALL_TILES, LARGE_TILES = [(32, 32), (16, 32), (32, 16), (64, 16)], [(64, 64), (64, 32), (32, 64), (128, 64)]


def matrix() -> list[Case]:
    """Every shape with every kind of mask in every dtype; heads, layouts and tiles take turns."""
    grid = itertools.product(SHAPES, KINDS, DTYPES)
    cases = [Case(*shape, dtype, **kind) for shape, kind, dtype in grid]
    widths = itertools.product((8, 24, 32, 40, 64, 80, 96, 128, 256), DTYPES)
    cases += [Case(33, 47, dtype, width=width) for width, dtype in widths]
    cases = [in_turn(case, i) for i, case in enumerate(cases)]
    cases += [Case(45, 45, dtype, scale=1.0, largest_score=30.0, layouts=LAYOUTS[3]) for dtype in DTYPES]
    cases += [Case(45, 61, dtype, scale=-0.7, causal=False, heads=(2, 1), batch=2) for dtype in DTYPES]
    return [*cases, *(Case(40, 50, torch.float64, width=5, heads=(2, 1), **kind) for kind in KINDS)]


def in_turn(case: Case, i: int) -> Case:
    """The case with the ``i``-th heads, layouts, tiles and seed; large ones have few heads, to be quick."""
    large = case.n_queries * case.n_keys > 4000
    return replace(
        case,
        heads=HEADS[i % len(HEADS)] if not large or i % 4 == 0 else (1, 1),
        batch=1 if large else 2 - i % 2,
        layouts=LAYOUTS[i % len(LAYOUTS)],
        blocks=(LARGE_TILES if large else SMALL_TILES)[i // 5 % 4],
        seed=i,
    )


def check_nothing_seen() -> None:
    """A query that sees no key gets 0 and gives no gradient, not even that of its log-sum-exp of -inf."""
    given = inputs(Case(20, 12, layouts=(0, 1, 2, 3)))
    q, k, v = (given[name].detach().requires_grad_() for name in ("q", "k", "v"))
    with surroundings((16, 16)):
        o, lse = kernels.fused_attention(q, k, v)
        dlse = torch.full_like(lse, math.nan).where(lse == -math.inf, given["dlse"])
        dq, dk, dv = torch.autograd.grad([o, lse], [q, k, v], [given["do"], dlse])
    assert (o[:, :, :8] == 0).all()
    assert (lse[:, :, :8] == -math.inf).all()
    assert (dq[:, :, :8] == 0).all()
    assert all(x.isfinite().all() for x in (o, lse[:, :, 8:], dq, dk, dv))


def check_low_scores() -> None:
    """Scores of about -2000, whose exponentials are 0: only relative to the largest are they anything."""
    q, k, v = (torch.randn(1, 1, 20, 16, dtype=torch.float64, device=DEVICE) for _ in range(3))
    q, k = q / 16 - 22, k / 16 + 22
    with surroundings((16, 16)):
        o, lse = kernels.fused_attention(q, k, v)
    expected = masked_attention(q, k, v, causal_mask(20, device=DEVICE))
    torch.testing.assert_close(o, expected, rtol=0, atol=1e-9)
    assert (lse < -1900).all() and lse.isfinite().all()


def check_far_apart() -> None:
    """Heads, rows, batches and columns so far apart that their offsets pass 2**31, in memory that is only promised.

    An offset that wraps around lands 2**32 elements lower, which is promised, too, and empty.
    """
    case = Case(40, 40, torch.float16, batch=2, heads=(3, 1), blocks=(16, 32))
    no_reserve = 0x4000  # Linux's MAP_NORESERVE, which Python 3.11 does not name
    promised = mmap.mmap(-1, 2 * 3 * 2**32, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve)
    memory = torch.frombuffer(promised, dtype=torch.float16)
    strides = {
        "q": (640, 3 * 2**29, 16, 1),  # heads
        "k": (16, 1, 2**27, 1),  # rows
        "v": (3 * 2**30, 1, 16, 1),  # batches
        "do": (120, 40, 1, 2**28),  # columns
    }
    given = inputs(case)
    for i, (name, stride) in enumerate(strides.items()):
        given[name] = memory.as_strided(given[name].shape, stride, 2**32 + i * 2**24).copy_(given[name])
    check(case, given)
