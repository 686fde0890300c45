"""Which tiles are the fastest on this GPU: those of our table and their neighbours, each checked, then timed.

Triton's own autotuner chooses anew in every process and out of sight, so that two runs may round differently. Here the
choice is a line that goes into ``kernels/tile_sizes.py``: a table that can be read, and every run takes the same tiles.

A kernel alone is timed, with causal attention. A pair of positions that see each other counts 2 E operations a head
for each product: 2 of them forward, 3 for the gradient of the queries, 4 for those of keys and values, which are all
that a kernel computes, the scores of the backward pass included.

Dimensions: B batch, H heads, T positions, E head width.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from minigpt.bench.attention.setting import Setting
from minigpt.bench.turns import synchronize, take_turns
from minigpt.model import causal_mask, masked_attention

if TYPE_CHECKING:
    from minigpt.kernels.tile_sizes import Tiles

Timer = Callable[[Callable[[], object]], float]  # seconds of one run
WRITTEN = {"forward": ("o", "lse"), "queries": ("dq",), "keys_values": ("dk", "dv")}  # by each kernel
OPERANDS = {kernel: ("q", "k", "v", *(() if kernel == "forward" else ("do", "lse", "d"))) for kernel in WRITTEN}
# The largest error against float64 that is rounding, relative to the largest number of an output.
ROUNDING = {torch.float16: 3e-3, torch.bfloat16: 2.5e-2}
# Not a multiple of any tile but of 16, as the timed length is, so that Triton compiles one kernel for both.
CHECKED_LENGTH = 528
TIMED_ROUNDS = 3
GAIN = 0.02  # what a neighbour must win for the table to change; less is noise


class Tried(NamedTuple):
    """What became of one choice of tiles.

    Attributes:
        kernel: "forward", "queries" or "keys_values".
        setting: the problem that was timed.
        tiles: the choice.
        seconds: of one launch; infinite if it was not timed.
        trouble: why it was not timed; empty if it was.
        wrong: whether it computed other numbers than the formula.
    """

    kernel: str
    setting: Setting
    tiles: "Tiles"
    seconds: float = math.inf
    trouble: str = ""
    wrong: bool = False

    @property
    def rate(self) -> float:
        """Operations per second."""
        from minigpt.kernels.tile_sizes import PRODUCTS

        return PRODUCTS[self.kernel] * self.setting.flops[0] / 2 / self.seconds

    def __str__(self) -> str:
        t, s, warps, stages = self.tiles
        dtype = str(self.setting.dtype).removeprefix("torch.")
        return f"{self.kernel:13}{dtype:10}{self.setting.head_width:>4}{f'{t} x {s}':>11}{warps:>7}{stages:>8}"


@dataclass(frozen=True)
class TileBench:
    """All that was tried in one run.

    Attributes:
        device: what it ran on.
        row: its row in the table.
        tried: the choices, the table's own first in each setting.
    """

    device: str
    row: str
    tried: list[Tried]

    def best(self, kernel: str, width: int) -> "Tiles":
        """The fastest tiles in all dtypes together; the table's, unless others win by more than noise.

        Raises:
            ValueError: if none ran in every dtype.
        """
        seconds: dict[Tiles, float] = defaultdict(float)
        for one in self.tried:
            if (one.kernel, one.setting.head_width) == (kernel, width):
                seconds[one.tiles] += one.seconds
        fastest, ours = min(seconds, key=seconds.__getitem__), next(iter(seconds))
        if math.isinf(seconds[fastest]):
            raise ValueError(f"no tiles of {kernel} ran in every dtype at head width {width}; their lines say why")
        return fastest if seconds[fastest] < (1 - GAIN) * seconds[ours] else ours

    def entry(self) -> str:
        """The GPU's lines of ``TABLE``: the best tiles for each width that was timed, the old ones elsewhere."""
        from minigpt.kernels.tile_sizes import TABLE, column_of

        lines = [f'    ("{self.row}", 2): {{']
        for kernel, old in TABLE[self.row, 2].items():
            new = list(old)
            for width in {one.setting.head_width for one in self.tried}:
                new[column_of(width)] = self.best(kernel, width)
            lines.append(f"        {kernel.upper()}: ({', '.join(f'Tiles{tuple(tiles)}' for tiles in new)}),")
        return "\n".join([*lines, "    },"])

    def to_json(self) -> dict[str, Any]:
        """What was tried, in seconds; ``None`` where it was not timed."""
        tried = [
            {**one._asdict(), "setting": str(one.setting).split(), "seconds": None if one.trouble else one.seconds}
            for one in self.tried
        ]
        return {"device": self.device, "row": self.row, "tried": tried}

    def __str__(self) -> str:
        head = f"{'kernel':13}{'dtype':10}{'E':>4}{'tile T x S':>11}{'warps':>7}{'stages':>8}"
        lines = [f"{self.device}, row {self.row}, torch {torch.__version__}", ""]
        lines.append(f"{head}{'ms':>9}{'ratio':>7}{'TFLOP/s':>9}")
        for one in self.tried:
            ours = next(o for o in self.tried if (o.kernel, o.setting) == (one.kernel, one.setting)).seconds
            ratio = f"{ours / one.seconds:7.2f}" if math.isfinite(ours) else f"{'':7}"
            figures = f"{1e3 * one.seconds:9.3f}{ratio}{one.rate / 1e12:9.1f}"
            lines.append(f"{one}  {one.trouble}" if one.trouble else f"{one}{figures}")
        lines.append("ratio: the time of the table's tiles, the first of each list, over this one's.")
        return "\n".join(lines)


def tile_settings() -> list[Setting]:
    """What is timed: 16,384 tokens of width 2048 in sequences of 4096, causal, in both 16-bit dtypes and two widths."""
    return [Setting(4096, e, True, dtype, 4, 2048 // e) for dtype, e in product(ROUNDING, (64, 128))]


def cuda_seconds(run: Callable[[], object]) -> float:
    """The median of 20 launches by the GPU's own clock, after 5 to warm up; its L2 cache is not flushed between."""
    for _ in range(5):
        run()
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(20)]
    for start, end in events:
        start.record()
        run()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in events) / 1e3


def tune_tiles(
    device: torch.device, row: str = "", settings: list[Setting] | None = None, timer: Timer = cuda_seconds
) -> TileBench:
    """Check and time the candidates of each kernel in each setting.

    Args:
        device: where.
        row: the row of the table whose neighbours are tried; the device's, unless given.
        settings: the problems; :func:`tile_settings` unless given.
        timer: gives the seconds of a run.
    """
    from minigpt.kernels.tile_sizes import candidates, row_of

    row = row or row_of(device)
    work = list(product(settings or tile_settings(), WRITTEN))
    lists = [candidates(kernel, row, s.dtype.itemsize, s.head_width) for s, kernel in work]
    tried: list[Tried] = []
    with tqdm(total=sum(map(len, lists)), desc="tuning", leave=False) as bar:
        for (setting, kernel), choices in zip(work, lists, strict=True):
            ones = []
            for tiles in choices:
                ones.append(checked(Tried(kernel, setting, tiles), device))
                bar.update()
            tried += timed(ones, device, timer)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return TileBench(name, row, tried)


def checked(one: Tried, device: torch.device) -> Tried:
    """The choice, with its trouble if it does not compile, does not fit or computes other numbers than the formula."""
    from triton.errors import TritonError

    length = min(CHECKED_LENGTH, one.setting.n_positions)
    given = inputs(replace(one.setting, batch_size=1, n_positions=length), device)
    expected = answers(given)
    given.update({name: expected[name].float() for name in ("lse", "d")})
    try:
        outputs = launch(one, given)()
        synchronize(device)
    except (TritonError, RuntimeError) as error:
        return one._replace(trouble=f"skipped: {str(error).strip().partition(chr(10))[0][:100]}")
    exact = [expected[name] for name in WRITTEN[one.kernel]]
    errors = [((x - y).abs().max() / y.abs().max()).item() for x, y in zip(outputs, exact, strict=True)]
    allowed = ROUNDING[one.setting.dtype]
    if all(error <= allowed for error in errors):  # which NaN is not
        return one
    return one._replace(trouble=f"refused: off by {max(errors):.0e}, and {allowed} is rounding", wrong=True)


def timed(ones: list[Tried], device: torch.device, timer: Timer) -> list[Tried]:
    """The choices of one kernel and setting; those without trouble with the median of their seconds, taken in turn."""
    given = inputs(ones[0].setting, device)
    runs = {one: launch(one, given) for one in ones if not one.trouble}
    seconds = take_turns({str(at): partial(timer, run) for at, run in enumerate(runs.values())}, TIMED_ROUNDS)
    medians = dict(zip(runs, map(statistics.median, seconds.values()), strict=True))
    return [one._replace(seconds=medians[one]) if one in runs else one for one in ones]


def inputs(setting: Setting, device: torch.device) -> dict[str, Tensor]:
    """What kernels read: q, k, v and do ``(B, H, T, E)``; lse and d ``(B, H, T)``, about as large as they would be."""
    tensors = dict(zip(("q", "k", "v", "do"), (x.detach() for x in setting.draw(device)), strict=True))
    seen = torch.arange(1, setting.n_positions + 1, device=device)
    lse = seen.log() + 0.5  # of n scores, each standard normal: log n + 1/2
    rows = tensors["q"].shape[:3]
    return {**tensors, "lse": lse.expand(rows).contiguous(), "d": torch.zeros(rows, device=device)}


def launch(one: Tried, given: dict[str, Tensor]) -> Callable[[], list[Tensor]]:
    """A function that runs the kernel and gives what it wrote; NaN stands where it wrote nothing."""
    from minigpt.kernels import launches

    function = getattr(launches, f"launch_{one.kernel}")
    read = [given[name] for name in OPERANDS[one.kernel]]
    written = [torch.full_like(given["lse" if name == "lse" else "q"], math.nan) for name in WRITTEN[one.kernel]]

    def run() -> list[Tensor]:
        function(one.tiles, *read, *written, True, 0, one.setting.head_width**-0.5)
        return written

    return run


def answers(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """What kernels should write, and lse and d, by the formula in float64."""
    q, k, v, do = (given[name].double().requires_grad_() for name in ("q", "k", "v", "do"))
    mask = causal_mask(q.shape[2], device=q.device)
    o = masked_attention(q, k, v, mask)
    scores = (q @ k.mT / math.sqrt(q.shape[3])).masked_fill(~mask, -math.inf)
    dq, dk, dv = torch.autograd.grad(o, (q, k, v), do)
    exact = {"o": o, "lse": scores.logsumexp(-1), "d": (do * o).sum(-1), "dq": dq, "dk": dk, "dv": dv}
    return {name: x.detach() for name, x in exact.items()}
