"""Greedy generation beside a peer that everyone knows: tokens per second, and the bytes that each token reads.

Ours with a cache, in each kind of weights, and transformers' ``generate`` take turns on the same prompt with the same
shape. A step reads every matrix once, so none can be faster than its own products of one row of tokens with these
matrices, which are timed alone. What a cache, a batch and prompt look-up gain is measured in the same rounds.
"""

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from tqdm import tqdm

from minigpt.bench import words
from minigpt.bench.generation import writers
from minigpt.bench.generation.writers import Write
from minigpt.generation import for_generation
from minigpt.generation.inference import WeightsName
from minigpt.model import GPT, GPTConfig
from minigpt.plots import BLUE, GREY, new_figure
from minigpt.settings.language import filled, language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GPT2 = GPTConfig.preset("gpt2")
_NAMES, _WIDTHS = 38, (10, 8, 9, 7, 13)  # columns of the tables
N_PROMPTS = 8  # of the batch
OF_OURS: tuple[WeightsName, ...] = ("float32", "bfloat16", "int8")


class GenerationRow(NamedTuple):
    """What one contender did.

    Attributes:
        contender: "float32", "bfloat16", "int8" or "transformers".
        tokens_per_second: the median over the rounds, the prompt included.
        ratio: the same over that of transformers, the median of each round's.
        n_bytes: of the matrices that one token reads.
        share_of_products: tokens per second over those of its products alone, the median of each round's.
    """

    contender: str
    tokens_per_second: float
    ratio: float
    n_bytes: int
    share_of_products: float

    def __str__(self) -> str:
        rate, n_bytes = self.tokens_per_second, self.n_bytes
        figures = f"{rate:>10.1f}{self.ratio:>8.2f}{n_bytes / 1e6:>9.1f}{rate * n_bytes / 1e9:>7.1f}"
        return f"{self.contender:<{_NAMES}}{figures}{self.share_of_products:>13.0%}"


class Gain(NamedTuple):
    """What one way to write gains.

    Attributes:
        what: the way.
        tokens_per_second: with it, the median over the rounds.
        without: tokens per second without it.
        ratio: of both, the median of each round's.
    """

    what: str
    tokens_per_second: float
    without: float
    ratio: float

    def __str__(self) -> str:
        figures = f"{self.tokens_per_second:>10.1f}{self.ratio:>8.2f}{self.without:>9.1f}"
        return filled(_spoken(self.what), _NAMES) + figures


@dataclass(frozen=True)
class GenerationBench:
    """All measurements of one run, on the CPU.

    Attributes:
        config: the shape of the model.
        n_prompt: tokens of the prompt.
        n_new: tokens that were written after it.
        threads: how many PyTorch used.
        rounds: how often each contender was timed, in turn.
        bytes_per_second: of a product of one row with a large float32 matrix.
        rows: the contenders.
        gains: what a cache, a batch and look-ups gain.
    """

    config: GPTConfig
    n_prompt: int
    n_new: int
    threads: int
    rounds: int
    bytes_per_second: float
    rows: list[GenerationRow]
    gains: list[Gain]

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them; rates per second, sizes in bytes."""
        shape = {name: getattr(self.config, name) for name in ("n_layers", "d_model", "n_heads", "vocab_size")}
        about = {"n_prompt": self.n_prompt, "n_new": self.n_new, "threads": self.threads, "rounds": self.rounds}
        limit = {"torch": str(torch.__version__), "bytes_per_second": self.bytes_per_second}
        tables = {"rows": [row._asdict() for row in self.rows], "gains": [gain._asdict() for gain in self.gains]}
        return {"shape": shape, **about, **limit, **tables}

    def __str__(self) -> str:
        shape = (self.config.n_layers, self.config.d_model, self.n_prompt, self.n_new)
        in_turn = words.IN_TURN.spoken().format(self.rounds)
        lines = [
            words.GENERATION_TITLE.spoken().format(*shape, self.threads, torch.__version__),
            words.READING_LIMIT.spoken().format(in_turn, self.bytes_per_second / 1e9),
            _headed(words.GENERATION_HEAD.spoken()),
            *map(str, self.rows),
            "",
            _headed(words.GAIN_HEAD.spoken()),
            *map(str, self.gains),
        ]
        return "\n".join([*lines, words.GENERATION_LEGEND.spoken()])

    def plot(self) -> "Figure":
        """Tokens per second of each contender below those of its products alone.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (axes,) = new_figure()
        for i, row in enumerate(self.rows):
            axes.bar(i, row.tokens_per_second, 0.6, color=GREY if row.contender == "transformers" else BLUE)
            alone = row.tokens_per_second / row.share_of_products
            axes.plot((i - 0.35, i + 0.35), (alone, alone), ":", color="black", label="" if i else "products alone")
        axes.set_xticks(range(len(self.rows)), [row.contender for row in self.rows])
        axes.set(ylabel="tokens/s", title=f"{self.n_prompt} tokens and {self.n_new} more, one row")
        axes.legend(frameon=False)
        return figure


def _headed(names: str) -> str:
    """The heading of a table, its names on the right of their columns."""
    return " " * _NAMES + "".join(
        filled(name, width, "left") for name, width in zip(names.split("|"), _WIDTHS, strict=False)
    )


def _spoken(what: str) -> str:
    """A way to write in the language of the locale."""
    if language() == "zh":
        for english, chinese in words.GAINS.items():
            what = what.replace(english, chinese)
    return what


def measure_generation(
    rounds: int = 3, config: GPTConfig = GPT2, *, n_prompt: int = 64, n_new: int = 192
) -> GenerationBench:
    """Measure greedy generation with random weights beside transformers' GPT-2 on the CPU.

    Args:
        rounds: how often each is timed, in turn; the median counts.
        config: the shape, of GPT-2's kind.
        n_prompt: tokens of the prompt.
        n_new: tokens to write after it; a batch writes a quarter of them for each prompt, look-ups half of them.

    Raises:
        ValueError: if ``rounds`` is below 1.
        ImportError: if transformers is not installed.
    """
    if rounds < 1:
        raise ValueError(f"rounds={rounds} must be at least 1")
    model, prompt = GPT(config).eval(), torch.randint(0, config.vocab_size, (1, n_prompt))
    write, peer = writers.peer(config, prompt, n_new)
    copies: dict[str, GPT] = {weights: for_generation(model, weights) for weights in OF_OURS}
    timed = {name: writers.greedy(copy, prompt, n_new) for name, copy in copies.items()} | {"transformers": write}
    models: dict[str, Any] = {**copies, "transformers": peer}
    timed |= {f"products of {name}": writers.products(each) for name, each in models.items()}
    pairs = {"a cache": ("float32", "uncached")}
    timed["uncached"] = writers.uncached(model, n_prompt, n_new)
    prompts = [prompt[0, : max(1, n_prompt * (i + 1) // N_PROMPTS)] for i in range(N_PROMPTS)]
    together, each = f"{N_PROMPTS} prompts together", "one by one"
    pairs[together] = (together, each)
    timed[together] = writers.greedy(copies["float32"], prompts, max(1, n_new // 4))
    timed[each] = writers.one_by_one(copies["float32"], prompts, max(1, n_new // 4))
    for text, fast, plain in writers.look_up(max(1, n_new // 2)):
        pairs[f"look-up, {text}"] = (f"look-up, {text}", f"plain, {text}")
        timed |= dict(zip(pairs[f"look-up, {text}"], (fast, plain), strict=True))
    rates = rates_in_turn({**timed, "limit": writers.one_row()}, rounds)
    n_bytes = {name: writers.matrix_bytes(copy) for name, copy in copies.items()}
    rows = [_row(name, rates, n_bytes.get(name, writers.matrix_bytes(model))) for name in (*OF_OURS, "transformers")]
    gains = [_gain(what, rates[one], rates[other]) for what, (one, other) in pairs.items()]
    limit = statistics.median(rates["limit"])
    return GenerationBench(config, n_prompt, n_new, torch.get_num_threads(), rounds, limit, rows, gains)


def rates_in_turn(timed: dict[str, Write], rounds: int) -> dict[str, list[float]]:
    """What each writes per second, in each round."""
    rates: dict[str, list[float]] = {name: [] for name in timed}
    for each in tqdm(range(rounds * len(timed)), desc="generation", leave=False):
        name = list(timed)[each % len(timed)]
        started = time.perf_counter()
        n = timed[name]()
        rates[name].append(n / (time.perf_counter() - started))
    return rates


def _row(name: str, rates: dict[str, list[float]], n_bytes: int) -> GenerationRow:
    beside, alone = _ratio(rates[name], rates["transformers"]), _ratio(rates[name], rates[f"products of {name}"])
    return GenerationRow(name, statistics.median(rates[name]), beside, n_bytes, alone)


def _gain(what: str, rates: list[float], without: list[float]) -> Gain:
    return Gain(what, statistics.median(rates), statistics.median(without), _ratio(rates, without))


def _ratio(rates: list[float], others: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(rates, others, strict=True))
