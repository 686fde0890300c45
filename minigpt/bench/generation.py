"""Greedy generation beside a peer that everyone knows: tokens per second, and the bytes that each token reads.

Ours with a cache, in each kind of weights, ours without one, and transformers' ``generate`` take turns on the same
prompt with the same shape. A step reads every matrix once, so the limit is how fast one row of tokens is multiplied by
a matrix of the same bytes on the same machine.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from minigpt.bench.peer import peer_model
from minigpt.generation import GREEDY, Decoder, for_generation, generate_ids
from minigpt.model import GPT, GPTConfig

GPT2 = GPTConfig.preset("gpt2")
EXPLAINED = """\
ratio: tokens/s over transformers'. MB: the bytes of the matrices that one token reads, without keys and values. of
limit: the bytes that were read per second over those of a product of one row with a matrix, in float32, in the same
rounds. uncached: the loop that computes every position anew, on fewer tokens."""

Write = Callable[[int], object]  # writes that many tokens after the prompt


class GenerationRow(NamedTuple):
    """What one contender did.

    Attributes:
        contender: "float32", "bfloat16", "int8", "uncached" or "transformers".
        tokens_per_second: the median over the rounds, the prompt included.
        ratio: the same over that of transformers, the median of each round's.
        n_bytes: of the matrices that one token reads.
        share_of_limit: bytes read per second over those of a product of one row with a float32 matrix.
    """

    contender: str
    tokens_per_second: float
    ratio: float
    n_bytes: int
    share_of_limit: float

    def __str__(self) -> str:
        figures = f"{self.tokens_per_second:>10.1f}{self.ratio:>8.2f}{self.n_bytes / 1e6:>9.1f}"
        return f"{self.contender:<14}{figures}{self.share_of_limit:>10.0%}"


@dataclass(frozen=True)
class GenerationBench:
    """All measurements of one run, on the CPU.

    Attributes:
        config: the shape of the model.
        n_prompt: tokens of the prompt.
        n_new: tokens that were written after it.
        threads: how many PyTorch used.
        rounds: how often each contender was timed, in turn.
        bytes_per_second: of a product of one row with a float32 matrix.
        rows: the measurements.
    """

    config: GPTConfig
    n_prompt: int
    n_new: int
    threads: int
    rounds: int
    bytes_per_second: float
    rows: list[GenerationRow]

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them; rates per second, sizes in bytes."""
        shape = {name: getattr(self.config, name) for name in ("n_layers", "d_model", "n_heads", "vocab_size")}
        about = {"n_prompt": self.n_prompt, "n_new": self.n_new, "threads": self.threads, "rounds": self.rounds}
        limit = {"torch": str(torch.__version__), "bytes_per_second": self.bytes_per_second}
        return {"shape": shape, **about, **limit, "rows": [row._asdict() for row in self.rows]}

    def __str__(self) -> str:
        shape = f"{self.config.n_layers} × {self.config.d_model}, random weights, greedy, one row"
        return "\n".join(
            [
                f"{shape}: {self.n_prompt} tokens and {self.n_new} more; {self.threads} threads, "
                f"torch {torch.__version__}",
                f"medians of {self.rounds} rounds in turn; limit {self.bytes_per_second / 1e9:.1f} GB/s",
                f"{'':<14}{'tokens/s':>10}{'ratio':>8}{'MB':>9}{'of limit':>10}",
                *map(str, self.rows),
                EXPLAINED,
            ]
        )


def measure_generation(
    rounds: int = 5, config: GPTConfig = GPT2, *, n_prompt: int = 64, n_new: int = 192
) -> GenerationBench:
    """Measure greedy generation with random weights beside transformers' GPT-2 on the CPU.

    Args:
        rounds: how often each is timed, in turn; the median counts.
        config: the shape, of GPT-2's kind.
        n_prompt: tokens of the prompt.
        n_new: tokens to write after it; the loop without a cache writes a sixteenth of them.

    Raises:
        ImportError: if transformers is not installed.
    """
    model, prompt = GPT(config).eval(), torch.randint(0, config.vocab_size, (1, n_prompt))
    copies = {weights: for_generation(model, weights) for weights in ("float32", "bfloat16", "int8")}
    contenders: dict[str, tuple[Write, int]] = {
        **{name: (_writer(copy, prompt), n_new) for name, copy in copies.items()},
        "uncached": (_writer(Decoder(model, cached=False), prompt), max(1, n_new // 16)),
        "transformers": (_peer(config, prompt), n_new),
    }
    n_bytes = {name: matrix_bytes(copy) for name, copy in copies.items()}
    n_bytes |= dict.fromkeys(("uncached", "transformers"), matrix_bytes(model))
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    limits = []
    for write, _ in contenders.values():
        write(2)  # the first pass allocates
    for _ in tqdm(range(rounds), desc="generation", leave=False):
        limits.append(one_row_rate())
        for name, (write, n) in contenders.items():
            started = time.perf_counter()
            write(n)
            rates[name].append(n / (time.perf_counter() - started))
    limit = statistics.median(limits)
    rows = [_row(name, rates, n_bytes[name], limit) for name in contenders]
    return GenerationBench(config, n_prompt, n_new, torch.get_num_threads(), rounds, limit, rows)


def _row(name: str, rates: dict[str, list[float]], n_bytes: int, limit: float) -> GenerationRow:
    rate = statistics.median(rates[name])
    ratio = statistics.median(a / b for a, b in zip(rates[name], rates["transformers"], strict=True))
    return GenerationRow(name, rate, ratio, n_bytes, rate * n_bytes / limit)


def _writer(model: GPT | Decoder, prompt: Tensor) -> Write:
    """Greedy generation by ours; each call begins anew."""
    return lambda n: generate_ids(model, prompt, max_new_tokens=n, generator=torch.Generator(), sampler=GREEDY)


def _peer(config: GPTConfig, prompt: Tensor) -> Write:
    """Greedy generation by transformers' GPT-2 with its cache."""
    model = peer_model(config).eval()
    mask = torch.ones_like(prompt)

    def write(n: int) -> Tensor:
        with torch.inference_mode():
            written: Tensor = model.generate(
                prompt, attention_mask=mask, do_sample=False, max_new_tokens=n, min_new_tokens=n, pad_token_id=0
            )
        return written

    return write


def matrix_bytes(model: nn.Module) -> int:
    """Bytes of the matrices by which one token is multiplied; the row of an embedding that it takes does not count."""
    counted = ("weight", "columns", "q")
    linear = [m for m in model.modules() if not isinstance(m, nn.Embedding) and not list(m.children())]
    tensors = [vars(m)[kind].get(name) for m in linear for kind in ("_parameters", "_buffers") for name in counted]
    return sum(x.nbytes for x in tensors if isinstance(x, Tensor) and x.dim() == 2)


def one_row_rate(n_bytes: int = 2**27) -> float:
    """Bytes per second of a product of one row with a float32 matrix of ``n_bytes``, larger than any cache."""
    row, matrix = torch.randn(1, 1024), torch.randn(1024, n_bytes // 4096)
    started = time.perf_counter()
    for _ in range(4):
        torch.mm(row, matrix)
    return 4 * matrix.nbytes / (time.perf_counter() - started)
