r"""Attention's speed, forward and backward: our Triton kernel beside PyTorch's own, FlexAttention and the formula.

A pair of positions that see each other counts $4 E$ operations a head forward – two products – and $10 E$ backward,
where kernels compute the scores again; the formula, which has kept its weights, is credited the same. The limit
of each is its roofline: the peak of the device, or what its memory can bring.

Dimensions: B batch, H heads, T positions, E head width.
Source: the shapes, 16,384 tokens of width 2048: Dao 2023 (FlashAttention-2), arXiv:2307.08691, section 4.1.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from minigpt.bench.peaks import Peak, peak_of, synchronize
from minigpt.model import causal_mask, masked_attention

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Setting:
    """One problem: B sequences of T positions, H heads of width E."""

    n_positions: int
    head_width: int
    causal: bool
    dtype: torch.dtype
    batch_size: int
    n_heads: int

    def __str__(self) -> str:
        mask = "causal" if self.causal else "full"
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{self.n_positions:>6}{self.head_width:>5}  {mask:8}{dtype:10}"

    @property
    def flops(self) -> tuple[int, int]:
        """Operations forward and backward: 2 products of E for each pair of positions, then 5."""
        t = self.n_positions
        pairs = t * (t + 1) // 2 if self.causal else t * t
        a_product = 2 * self.batch_size * self.n_heads * pairs * self.head_width
        return 2 * a_product, 5 * a_product

    @property
    def n_bytes(self) -> tuple[int, int]:
        """The least that is moved: q, k, v in and o out; then o and its gradient in besides, three gradients out."""
        tensor = self.batch_size * self.n_heads * self.n_positions * self.head_width * self.dtype.itemsize
        return 4 * tensor, 8 * tensor

    @property
    def weight_bytes(self) -> int:
        """Of the T × T weights of every head, which the formula keeps in memory."""
        return self.batch_size * self.n_heads * self.n_positions**2 * self.dtype.itemsize

    def draw(self, device: torch.device) -> list[Tensor]:
        """q, k, v and the output's gradient, ``(B, H, T, E)``."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.batch_size, self.n_heads, self.n_positions, self.head_width)
        drawn = [torch.randn(shape, generator=generator).to(device, self.dtype) for _ in range(4)]
        return [x.requires_grad_() for x in drawn[:3]] + drawn[3:]


class Measured(NamedTuple):
    """What one contender did in one setting.

    Attributes:
        setting: the problem.
        name: the contender.
        times: seconds forward and backward, the medians.
        skipped: why it did not run; empty if it did.
    """

    setting: Setting
    name: str
    times: tuple[float, float] = (0.0, 0.0)
    skipped: str = ""

    @property
    def rates(self) -> tuple[float, float]:
        """Operations per second, forward and backward."""
        forward, backward = (flops / time for flops, time in zip(self.setting.flops, self.times, strict=True))
        return forward, backward


@dataclass(frozen=True)
class AttentionBench:
    """All measurements of one run.

    Attributes:
        device: what they were taken on.
        peaks: its limits in each dtype.
        rows: the measurements, setting by setting.
    """

    device: str
    peaks: dict[torch.dtype, Peak]
    rows: list[Measured]

    def roofline(self, setting: Setting) -> tuple[float, float]:
        """The most operations per second, forward and backward."""
        peak = self.peaks[setting.dtype]
        forward, backward = (peak.roofline(*each) for each in zip(setting.flops, setting.n_bytes, strict=True))
        return forward, backward

    def __str__(self) -> str:
        unit, factor = ("TFLOP/s", 1e12) if self.device != "cpu" else ("GFLOP/s", 1e9)
        lines = [f"{self.device}, torch {torch.__version__}"]
        for dtype, peak in self.peaks.items():
            bandwidth = f"{peak.bandwidth / 1e9:,.0f} GB/s"
            lines.append(f"{str(dtype)[6:]}: at most {peak.flops / factor:,.0f} {unit} and {bandwidth} ({peak.source})")
        head = f"{'T':>6}{'E':>5}  {'mask':8}{'dtype':10}{'attention':10}{'forward':>10}{'backward':>10}"
        lines += ["", f"{head}{'of roofline':>16}{'ratio':>8}"]
        for row in self.rows:
            lines.append(f"{row.setting}{row.name:10}{row.skipped or self._figures(row, factor)}")
        lines.append(f"forward, backward: {unit}. of roofline: each as a share of its limit. ratio: the time of both")
        lines.append("together, of the first contender that ran at this setting over this one's.")
        return "\n".join(lines)

    def _figures(self, row: Measured, factor: float) -> str:
        rates, limits = row.rates, self.roofline(row.setting)
        shares = "".join(f"{rate / limit:8.0%}" for rate, limit in zip(rates, limits, strict=True))
        first = next(other for other in self.rows if other.setting == row.setting and not other.skipped)
        ratio = sum(first.times) / sum(row.times)
        return f"{rates[0] / factor:10.1f}{rates[1] / factor:10.1f}{shares}{ratio:8.2f}"

    def plot(self) -> "Figure":
        """Operations per second over the length, a line for each contender, below the roofline."""
        from minigpt.plots import plot_attention_bench

        return plot_attention_bench(self)


def _formula(setting: Setting, device: torch.device) -> Attention:
    mask = causal_mask(setting.n_positions, device=device) if setting.causal else None
    return lambda q, k, v: masked_attention(q, k, v, mask)


def _sdpa(*backends: SDPBackend) -> Callable[[Setting, torch.device], Attention]:
    def make(setting: Setting, device: torch.device) -> Attention:
        def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            with sdpa_kernel(list(backends)):
                return F.scaled_dot_product_attention(q, k, v, is_causal=setting.causal)

        return run

    return make


def _flex(setting: Setting, device: torch.device) -> Attention:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def past(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return t >= s

    t = setting.n_positions
    mask = create_block_mask(past, None, None, t, t, device=str(device)) if setting.causal else None
    compiled = torch.compile(flex_attention, dynamic=False)
    return lambda q, k, v: compiled(q, k, v, block_mask=mask)


def _triton(setting: Setting, device: torch.device) -> Attention:
    from minigpt.kernels.fused_attention import fused_attention

    return lambda q, k, v: fused_attention(q, k, v, causal=setting.causal)[0]


# By the kind of device; the first that runs is what the others are measured by.
CONTENDERS: dict[str, dict[str, Callable[[Setting, torch.device], Attention]]] = {
    "cuda": {
        "flash": _sdpa(SDPBackend.FLASH_ATTENTION),
        "cudnn": _sdpa(SDPBackend.CUDNN_ATTENTION),
        "flex": _flex,
        "triton": _triton,
        "formula": _formula,
    },
    "cpu": {"formula": _formula, "sdpa": _sdpa(SDPBackend.FLASH_ATTENTION, SDPBackend.MATH)},
}


def settings(device: torch.device, lengths: tuple[int, ...] = ()) -> list[Setting]:
    """What is measured on a kind of device: 16,384 tokens of width 2048 on a GPU, 1024 of width 256 on a CPU."""
    gpu = device.type == "cuda"
    lengths = lengths or ((1024, 2048, 4096, 8192, 16384) if gpu else (128, 256, 512, 1024))
    dtypes = (torch.float16, torch.bfloat16) if gpu else (torch.float32,)
    tokens, width = (16384, 2048) if gpu else (1024, 256)
    grid = product(dtypes, (64, 128) if gpu else (64,), (False, True), lengths)
    return [Setting(t, e, causal, dtype, max(1, tokens // t), width // e) for dtype, e, causal, t in grid]


def measure_attention(device: torch.device, lengths: tuple[int, ...] = (), rounds: int = 9) -> AttentionBench:
    """Measure every contender in every setting, in turn.

    Args:
        device: where: "cuda" or "cpu".
        lengths: T, in positions; by default a few that suit the device.
        rounds: how often each is timed; the median counts.

    Raises:
        ValueError: if a length or ``rounds`` is below 1, or there are no contenders on the device.
    """
    if device.type not in CONTENDERS:
        raise ValueError(f"no contenders for device {device.type!r}; expected one of {', '.join(CONTENDERS)}")
    if rounds < 1 or any(t < 1 for t in lengths):
        raise ValueError(f"got lengths {lengths} and rounds={rounds}; expected at least 1")
    every = settings(device, lengths)
    peaks = {dtype: peak_of(device, dtype) for dtype in dict.fromkeys(setting.dtype for setting in every)}
    rows = [row for setting in tqdm(every, leave=False) for row in measure(setting, device, rounds)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return AttentionBench(name, peaks, rows)


def measure(setting: Setting, device: torch.device, rounds: int) -> Iterator[Measured]:
    """Each contender's times; one that cannot run says why."""
    q, k, v, do = setting.draw(device)
    runs: dict[str, Attention] = {}
    skipped: dict[str, str] = {}
    for name, make in CONTENDERS[device.type].items():
        try:
            _check_memory(name, setting, device)
            runs[name] = make(setting, device)
            _times(runs[name], q, k, v, do)  # once to warm up, compile and fail
        except (RuntimeError, ImportError, ValueError) as error:
            runs.pop(name, None)
            skipped[name] = f"skipped: {(str(error).strip() or type(error).__name__).splitlines()[0][:80]}"
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(_times(run, q, k, v, do))
    for name in CONTENDERS[device.type]:
        if name in skipped:
            yield Measured(setting, name, skipped=skipped[name])
        else:
            forward, backward = (statistics.median(column) for column in zip(*times[name], strict=True))
            yield Measured(setting, name, (forward, backward))


def _check_memory(name: str, setting: Setting, device: torch.device) -> None:
    """Refuse the formula where its weights, of which it needs several at once, would fill the memory."""
    if name == "formula" and device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if 6 * setting.weight_bytes > free:
            raise ValueError(f"its weights take {setting.weight_bytes / 2**30:.0f} GiB, several times over")


def _times(run: Attention, q: Tensor, k: Tensor, v: Tensor, do: Tensor) -> tuple[float, float]:
    synchronize(q.device)
    started = time.perf_counter()
    o = run(q, k, v)
    synchronize(q.device)
    between = time.perf_counter()
    torch.autograd.grad(o, (q, k, v), do)
    synchronize(q.device)
    return between - started, time.perf_counter() - between


def kernel_error() -> float:
    """The largest error of our kernel's output and gradients in float32 on a small case, against float64.

    It is relative to the largest number of each.

    Raises:
        ValueError: if there is neither a GPU nor Triton's interpreter.
    """
    from minigpt.kernels.fused_attention import fused_attention

    setting = Setting(33, 16, True, torch.float32, 1, 2)
    *given, do = setting.draw(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    q, k, v = exact = [x.detach().double().requires_grad_() for x in given]
    ours = fused_attention(*given)[0]
    theirs = masked_attention(q, k, v, causal_mask(setting.n_positions, device=do.device))
    pairs = zip(
        [ours, *torch.autograd.grad(ours, given, do)],
        [theirs, *torch.autograd.grad(theirs, exact, do.double())],
        strict=True,
    )
    return max(((x - y).abs().max() / y.abs().max()).item() for x, y in pairs)


def interpreted_error() -> float:
    """:func:`kernel_error` in Triton's interpreter: in a process of its own, for triton asks once, at its import.

    Raises:
        ValueError: if that process fails, with what it says.
    """
    code = "from minigpt.bench.attention import kernel_error; print(kernel_error())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "TRITON_INTERPRET": "1"}
    )
    if done.returncode:
        raise ValueError(f"the kernel does not run in Triton's interpreter: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)
