"""The loss of a head beside its peers, forward and backward: the formula, PyTorch's own, in chunks, and our kernel.

What is wanted of a head is the loss and two gradients. Three products of R × D × V make them, 6 R D V operations; and
whatever computes them reads the vectors and the matrix and writes their gradients once at least. Those who make all
logits keep R × V numbers, most of the memory of a step with a large vocabulary.

Dimensions: R rows (positions), D model width, V vocabulary.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from minigpt.bench.allocation import peak_allocation
from minigpt.bench.peaks import copy_rate, matmul_rate
from minigpt.bench.reports import aligned, bar_chart, machine_line
from minigpt.bench.turns import CPU, median_ratio, stopwatch, take_turns, that_run
from minigpt.bench.words import IN_TURN, LOSS_HEAD, LOSS_LEGEND, LOSS_TITLE
from minigpt.model import chunked_next_token_loss, cross_entropy_from_logits, next_token_loss
from minigpt.model.fused import triton_next_token_loss

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HeadLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # x (1, R, D), weight (V, D), targets (1, R) -> ()
VOCABULARIES = (65, 8192, 50257)  # characters, byte pairs trained on a corpus, GPT-2


def _from_logits(loss: Callable[[Tensor, Tensor], Tensor]) -> HeadLoss:
    return lambda x, weight, targets: loss((x @ weight.T).flatten(0, 1), targets.flatten())


def _torch_linear(x: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    if not hasattr(F, "linear_cross_entropy"):
        raise RuntimeError(f"torch {torch.__version__} has no linear_cross_entropy")
    loss: Tensor = F.linear_cross_entropy(x.flatten(0, 1), weight, targets.flatten())
    return loss


#: What is timed, by name; PyTorch's is what the others are measured by.
HEAD_LOSSES: dict[str, HeadLoss] = {
    "formula": _from_logits(lambda logits, targets: cross_entropy_from_logits(logits, targets).mean()),
    "torch": _from_logits(F.cross_entropy),
    "torch linear": _torch_linear,
    "logits": lambda x, weight, targets: next_token_loss(x @ weight.T, targets),
    "chunked": chunked_next_token_loss,
    "triton": triton_next_token_loss,
}


class LossRow(NamedTuple):
    """What one contender did at one vocabulary.

    Attributes:
        vocab_size: V.
        contender: a name in :data:`HEAD_LOSSES`.
        seconds: forward and backward, the median.
        ratio: the time of PyTorch's cross entropy over this one's, the median of each round's.
        flops_per_second: 6 × rows × width × vocabulary operations over the time.
        share_of_matmul: of the operations per second of a large product in the same rounds.
        share_of_copy: of the bytes per second of a large copy in the same rounds, with the least bytes.
        memory: the most bytes that are alive at once beyond the vectors and the matrix.
        skipped: why it did not run; empty if it did.
    """

    vocab_size: int
    contender: str
    seconds: float = 0.0
    ratio: float = 0.0
    flops_per_second: float = 0.0
    share_of_matmul: float = 0.0
    share_of_copy: float = 0.0
    memory: int = 0
    skipped: str = ""

    def cells(self) -> list[str]:
        """The row of the table."""
        names = [f"{self.vocab_size:,}", self.contender]
        if self.skipped:
            return [*names, self.skipped]
        figures = [f"{1e3 * self.seconds:,.1f}", f"{self.ratio:.2f}", f"{self.flops_per_second / 1e9:,.1f}"]
        shares = [f"{self.share_of_matmul:.0%}", f"{self.share_of_copy:.0%}"]
        return [*names, *figures, *shares, f"{self.memory / 2**20:,.1f} MiB"]


@dataclass(frozen=True)
class LossBench:
    """All measurements of one run.

    Attributes:
        machine: what they were taken on.
        n_rows: R, positions.
        width: D.
        dtype: of the vectors and the matrix.
        rounds: how often each was timed, in turn.
        rows: the measurements, vocabulary by vocabulary.
    """

    machine: str
    n_rows: int
    width: int
    dtype: str
    rounds: int
    rows: list[LossRow]

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them, in seconds, bytes and operations per second."""
        about = {"machine": self.machine, "n_rows": self.n_rows, "width": self.width, "dtype": self.dtype}
        return {**about, "rounds": self.rounds, "rows": [row._asdict() for row in self.rows]}

    def __str__(self) -> str:
        in_turn = IN_TURN.spoken().format(self.rounds)
        about = LOSS_TITLE.spoken().format(self.n_rows, self.width, self.dtype, in_turn)
        table = aligned(LOSS_HEAD.spoken().split("|"), [row.cells() for row in self.rows], 2)
        return "\n".join([self.machine, about, *table, LOSS_LEGEND.spoken()])

    def plot(self) -> "Figure":
        """The peak memory of each, in MiB, a group for each vocabulary.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        groups: dict[str, dict[str, float]] = {}
        for row in self.rows:
            if not row.skipped:
                groups.setdefault(f"V {row.vocab_size:,}", {})[row.contender] = row.memory / 2**20
        return bar_chart(groups, "peak memory, MiB")


def measure_loss(
    rounds: int = 5,
    vocabularies: tuple[int, ...] = VOCABULARIES,
    *,
    n_rows: int = 1024,
    width: int = 256,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float32,
) -> LossBench:
    """Measure each loss of a head, forward and backward, in turn.

    Args:
        rounds: how often each is timed; the median counts.
        vocabularies: V.
        n_rows: R, positions.
        width: D.
        device: where.
        dtype: of the vectors and the matrix.
    """
    sizes = [(n_rows, width, v) for v in vocabularies]
    rows = [row for size in tqdm(sizes, "loss", leave=False) for row in _measure_losses(size, rounds, device, dtype)]
    return LossBench(machine_line(device), n_rows, width, str(dtype).removeprefix("torch."), rounds, rows)


def _measure_losses(
    size: tuple[int, int, int], rounds: int, device: torch.device, dtype: torch.dtype
) -> Iterator[LossRow]:
    n_rows, width, v = size
    x = torch.randn(1, n_rows, width, device=device, dtype=dtype, requires_grad=True)
    weight = (torch.randn(v, width, device=device, dtype=dtype) / width**0.5).requires_grad_()
    targets = torch.randint(0, v, (1, n_rows), device=device)

    def maker(name: str) -> Callable[[], object]:
        return lambda: torch.autograd.grad(HEAD_LOSSES[name](x, weight, targets), (x, weight))

    runs, skipped = that_run({name: partial(maker, name) for name in HEAD_LOSSES})
    turns: dict[str, Callable[[], float]] = {name: stopwatch(run, device, 0.1) for name, run in runs.items()}
    turns |= {"matmul": partial(matmul_rate, dtype, device), "copy": partial(copy_rate, device)}
    measured = take_turns(turns, rounds)
    flops, n_bytes = 6 * n_rows * width * v, 2 * (x.nbytes + weight.nbytes)
    for name in HEAD_LOSSES:
        if name in skipped:
            yield LossRow(v, name, skipped=skipped[name])
            continue
        time = statistics.median(measured[name])
        rate = flops / time
        yield LossRow(
            v,
            name,
            time,
            median_ratio(measured["torch"], measured[name]),
            rate,
            rate / statistics.median(measured["matmul"]),
            n_bytes / time / statistics.median(measured["copy"]),
            peak_allocation(runs[name], device),
        )
