"""Tokenizers beside their peers: how fast byte pairs are learned, and text is encoded and prepared.

The text is made here, so nothing is downloaded: made-up words, whose frequencies fall with their rank as those of a
language do, in sentences. All contenders encode with the same vocabulary, the one that ours learned.

Source: of the frequencies, 1 / (rank + 2.7): Mandelbrot 1953, after Zipf 1949.
"""

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigpt.bench.reports import aligned, bar_chart, machine_line
from minigpt.bench.turns import CPU, median_ratio, seconds, stopwatch, take_turns, that_run
from minigpt.bench.words import IN_TURN, TOKENIZER_HEAD, TOKENIZER_LEGEND, TOKENIZER_TITLE
from minigpt.limits import usable_cores
from minigpt.text.shards.preparation import prepare
from minigpt.text.tokenizers.bpe import BPETokenizer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEGABYTE = 10**6
SYLLABLES = [a + b + c for a in "bdfgklmnprstvz" for b in "aeiou" for c in ("", "", "n", "r", "s", "l")]
LEXICON = 60_000  # words of the made-up language
MOST_WORKERS, BYTES_OF_WORKER = 8, 2**24  # of prepare: processes, and the text of each
TRAIN, ENCODE = "train", "encode"
TIKTOKEN, TOKENIZERS = "tiktoken", "tokenizers"


class TokenizerRow(NamedTuple):
    """What one contender did.

    Attributes:
        what: "train", "encode" or "prepare".
        contender: "minigpt", "tokenizers" or "tiktoken".
        bytes_per_second: of UTF-8 text, the median.
        seconds: the median.
        ratio: of its speed to that of tokenizers in training, of tiktoken in encoding, and of processes × tiktoken in
            preparing; NaN without the peer.
        skipped: why it did not run; empty if it did.
    """

    what: str
    contender: str
    bytes_per_second: float = 0.0
    seconds: float = 0.0
    ratio: float = float("nan")
    skipped: str = ""

    def cells(self) -> list[str]:
        """The row of the table."""
        if self.skipped:
            return [self.what, self.contender, self.skipped]
        ratio = "" if isnan(self.ratio) else f"{self.ratio:.2f}"
        return [self.what, self.contender, f"{self.bytes_per_second / 1e6:,.1f}", f"{self.seconds:,.2f}", ratio]


@dataclass(frozen=True)
class TokenizerBench:
    """All measurements of one run, on the CPU.

    Attributes:
        machine: what they were taken on.
        n_bytes: of the text, UTF-8.
        vocab_size: V that was asked for.
        rounds: how often each encoded, in turn; training is timed once.
        rows: the measurements.
    """

    machine: str
    n_bytes: int
    vocab_size: int
    rounds: int
    rows: list[TokenizerRow]

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them, in bytes and seconds."""
        about = {"machine": self.machine, "n_bytes": self.n_bytes, "vocab_size": self.vocab_size}
        return {**about, "rounds": self.rounds, "rows": [row._asdict() for row in self.rows]}

    def __str__(self) -> str:
        in_turn = IN_TURN.spoken().format(self.rounds)
        about = TOKENIZER_TITLE.spoken().format(self.n_bytes / 1e6, self.vocab_size, in_turn)
        table = aligned(TOKENIZER_HEAD.spoken().split("|"), [row.cells() for row in self.rows], 2)
        return "\n".join([self.machine, about, *table, TOKENIZER_LEGEND.spoken()])

    def plot(self) -> "Figure":
        """Megabytes per second of each contender.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        groups: dict[str, dict[str, float]] = {}
        for row in self.rows:
            if not row.skipped:
                groups.setdefault(row.what, {})[row.contender] = row.bytes_per_second / 1e6
        return bar_chart(groups, "MB/s")


def made_up_text(n_bytes: int, seed: int = 0) -> str:
    """ASCII text of made-up words in sentences and lines.

    Args:
        n_bytes: about how many bytes; at least as many as a sentence has.
        seed: another seed gives another language.
    """
    generator = np.random.default_rng(seed)
    lengths = 1 + generator.poisson(1.2, LEXICON)
    syllables = generator.integers(len(SYLLABLES), size=(LEXICON, lengths.max()))
    words = ["".join(SYLLABLES[s] for s in row[:n]) for row, n in zip(syllables, lengths, strict=True)]
    frequencies = 1 / (np.arange(LEXICON) + 2.7)
    drawn = generator.choice(LEXICON, size=max(1, n_bytes // 5), p=frequencies / frequencies.sum())
    sentences, at, size = [], 0, 0
    while size < n_bytes and at < len(drawn):
        n = int(generator.integers(4, 20))
        sentence = " ".join(words[i] for i in drawn[at : at + n]).capitalize()
        sentences.append(sentence + (".\n" if generator.random() < 0.2 else ". "))
        at, size = at + n, size + len(sentences[-1])
    return "".join(sentences)


def measure_tokenizers(rounds: int = 5, n_bytes: int = 10 * MEGABYTE, vocab_size: int = 8192) -> TokenizerBench:
    """Measure training, encoding and preparing beside tiktoken and tokenizers.

    Args:
        rounds: how often each encodes, in turn; the median counts.
        n_bytes: of the text.
        vocab_size: V of the vocabulary that is learned.
    """
    text = made_up_text(n_bytes)
    size, learned = len(text.encode()), {}

    def train(name: str) -> None:
        learned[name] = TRAINERS[name](text, vocab_size)

    trained, untrained = that_run({name: partial(_measured_once, partial(train, name)) for name in TRAINERS}, TRAIN)
    times = {name: [measure()] for name, measure in trained.items()}
    rows = _rows(TRAIN, times, untrained, TOKENIZERS, size)
    makers = {name: partial(make, learned["minigpt"], text) for name, make in ENCODERS.items()}
    encoders, absent = that_run(makers, ENCODE)
    n_workers = min(usable_cores(), MOST_WORKERS)
    n_copies = max(1, round(n_workers * BYTES_OF_WORKER / size))
    prepared = partial(_prepare, text, n_copies, learned["minigpt"], n_workers)
    turns = {name: stopwatch(run) for name, run in encoders.items()}
    together: dict[str, Callable[[], float]] = {**turns, "prepare": prepared}
    measured = take_turns(together, rounds, "tokenizers")
    preparing = measured.pop("prepare")
    rows += _rows(ENCODE, measured, absent, TIKTOKEN, size)
    ratio, time = float("nan"), statistics.median(preparing)
    if TIKTOKEN in measured:
        ratio = median_ratio(measured[TIKTOKEN], preparing) * n_copies / n_workers
    rows.append(TokenizerRow("prepare", "minigpt", n_copies * size / time, time, ratio))
    return TokenizerBench(machine_line(CPU), size, vocab_size, rounds, rows)


def _measured_once(function: Callable[[], object]) -> Callable[[], float]:
    """A measurement that is taken now, since it takes long."""
    time = seconds(function, CPU)
    return lambda: time


def _rows(
    what: str, times: dict[str, list[float]], skipped: dict[str, str], peer: str, size: int
) -> list[TokenizerRow]:
    rows = []
    for name, each in times.items():
        time, ratio = statistics.median(each), median_ratio(times[peer], each) if peer in times else float("nan")
        rows.append(TokenizerRow(what, name, size / time, time, ratio))
    return rows + [TokenizerRow(what, name, skipped=why) for name, why in skipped.items()]


def _train_peer(text: str, vocab_size: int) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    return tokenizer


def _peers_encoder(ours: BPETokenizer, text: str) -> Callable[[], object]:
    from tokenizers import Tokenizer, models, pre_tokenizers

    from minigpt.text.tokenizers.byte_pairs import printable_bytes

    shown = {byte: character for character, byte in printable_bytes().items()}
    tokens = ["".join(shown[byte] for byte in token) for token in ours.vocabulary]
    merges = [(tokens[a], tokens[b]) for a, b in ours.merges]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return lambda: tokenizer.encode(text).ids


def _tiktoken_encoder(ours: BPETokenizer, text: str) -> Callable[[], object]:
    encoding = ours.to_tiktoken()
    return lambda: encoding.encode_ordinary(text)


#: Who learns byte pairs, from a text and a vocabulary size.
TRAINERS: dict[str, Callable[[str, int], Any]] = {
    "minigpt": partial(BPETokenizer.train, progress=False),
    TOKENIZERS: _train_peer,
}
#: Who encodes a text with our vocabulary; a call gives what is timed.
ENCODERS: dict[str, Callable[[BPETokenizer, str], Callable[[], object]]] = {
    "minigpt": lambda ours, text: partial(ours.encode, text),
    TIKTOKEN: _tiktoken_encoder,
    TOKENIZERS: _peers_encoder,
}


def _prepare(text: str, n_copies: int, tokenizer: BPETokenizer, n_workers: int) -> float:
    """The seconds from a file of so many copies to shards."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "text.txt"
        source.write_text(text * n_copies, encoding="utf-8")
        return seconds(lambda: prepare(source, tokenizer, Path(folder) / "out", workers=n_workers, progress=False), CPU)
