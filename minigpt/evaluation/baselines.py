r"""The ladder of baselines: what a loss means beside models that anyone can build by counting.

Each rung predicts the same tokens of the same text, so all figures compare: a uniform guess, n-gram models of rising
order with Kneser–Ney smoothing, two compressors, a GPT, and, where the text comes from a known source, its entropy, the
floor below which no model can go on average.

A compressor predicts as well: a text that it packs into fewer bits was less of a surprise. With $C$ the length of a
compressed file in bits, $x$ the training text and $y$ the text to be predicted,

$$-\log_2 p(y \mid x) \approx C(xy) - C(x)$$

Dimensions: N tokens to learn from, T tokens to predict and the one before them, V vocabulary.
Source: compression as prediction, Shannon 1948, A Mathematical Theory of Communication, section 9.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minigpt.evaluation.perplexity import Evaluation, evaluate
from minigpt.model import GPT, NGram, NGramCounts
from minigpt.model.ngrams.counts import Ids, check_row
from minigpt.plots import BLUE, GREY, ORANGE, new_figure
from minigpt.text import Dataset, TokenDataset, Tokenizer
from minigpt.text.tokenizers.tokenizer import text_lengths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ORDERS = {"unigram": 1, "bigram": 2, "3-gram": 3, "5-gram": 5}
BORDER = b"\xff"  # of two documents, to a compressor


@dataclass(frozen=True)
class Ladder:
    """The figures of all rungs on one text.

    Attributes:
        rungs: from the name of each rung, such as ``"bigram"``, to its figures; all of the same tokens and bytes.
    """

    rungs: dict[str, Evaluation]

    def to_object(self) -> dict[str, dict[str, float | None]]:
        """The figures of each rung, as what JSON can hold."""
        return {name: rung.to_object() for name, rung in self.rungs.items()}

    def plot(self) -> "Figure":
        """The rungs as horizontal bars, in bits per byte; the floor is a line.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (axes,) = new_figure()
        heights = {name: rung.bits_per_byte for name, rung in self.rungs.items() if name != "floor"}
        colours = [{"GPT": ORANGE, "gzip": GREY, "xz": GREY}.get(name, BLUE) for name in heights]
        bars = axes.barh(list(heights), list(heights.values()), color=colours)
        axes.bar_label(bars, fmt="%.3f", padding=3)
        axes.invert_yaxis()  # the first rung on top, as in the table
        axes.grid(visible=False, axis="y")
        axes.set_axisbelow(True)
        axes.margins(x=0.1)
        if "floor" in self.rungs:
            floor = self.rungs["floor"].bits_per_byte
            axes.axvline(floor, color="black", linestyle=":", label=f"floor: {floor:.3f}")
            axes.legend(frameon=False, loc="lower right")
        axes.set(xlabel="bits per byte (shorter is better)")
        return figure

    def __str__(self) -> str:
        text, borders = self.rungs["uniform"], self.rungs["uniform"].n_borders
        lines = [f"{'':8}  nats per token  perplexity  bits per byte" + "  nats per border" * bool(borders)]
        for name, rung in self.rungs.items():
            figures = f"{rung.nats_per_token:14.4f}  {rung.perplexity:10,.2f}  {rung.bits_per_byte:13.4f}"
            border = "-" if rung.nats_per_border is None else f"{rung.nats_per_border:.4f}"
            lines.append(f"{name:8}  {figures}" + f"  {border:>15}" * bool(borders))
        lines.append(f"each on the same {text.n_tokens:,} tokens ({text.n_bytes:,} bytes)")
        if borders:
            lines[-1] += f"; {borders:,} of the tokens are document borders"
        return "\n".join(lines)


def ladder(
    train_ids: Ids,
    validation_ids: Ids,
    tokenizer: Tokenizer,
    *,
    model: GPT | None = None,
    rows: Dataset | None = None,
    floor: float | None = None,
) -> Ladder:
    """Measure the baselines on every token of a text but the first.

    The compressors are not given the tokens but the bytes that they stand for, and the byte 0xFF, which is in no UTF-8
    text and counts as no byte, for a border between two documents. gzip looks back 32 KiB, so it has forgotten most of
    a long training text; xz looks back 8 MiB.

    Args:
        train_ids: ``(N,)`` what the n-grams count, and what the compressors have read before.
        validation_ids: ``(T + 1,)`` the text to be predicted, and one token before it.
        tokenizer: what made the ids.
        model: a GPT trained on the same text with the same tokenizer.
        rows: the text to be predicted as the model reads it, where that is not in windows of one long row: each story
            by itself, say. The tokens that count must be those of ``validation_ids`` but the first.
        floor: the entropy of the source of the text, in nats per token, where it is known.

    Returns:
        The rungs uniform, unigram, bigram, 3-gram, 5-gram, gzip and xz, then GPT and floor if given.

    Raises:
        ValueError: if an id is not one of the tokenizer's, the training text has fewer than 5 tokens, the other fewer
            than 2 (with a model, than its context and one more), or the floor is not a finite number ≥ 0.
    """
    if floor is not None and not 0 <= floor < math.inf:
        raise ValueError(f"floor={floor} must be a finite number of nats per token, at least 0; None if it is unknown")
    V = tokenizer.vocab_size
    counts = NGramCounts.of(train_ids, max(ORDERS.values()), V)
    validation = check_row(validation_ids, V)
    log_probs = {name: NGram(counts.up_to(order)).log_prob(validation) for name, order in ORDERS.items()}
    known, text = _bytes(check_row(train_ids, V), tokenizer), _bytes(validation[1:], tokenizer)
    known += _bytes(validation[:1], tokenizer)
    n_tokens, n_bytes = len(validation) - 1, int(text_lengths(tokenizer)[validation[1:]].sum())
    is_border = np.isin(validation[1:], list(tokenizer.special_tokens.values()))
    n_borders = int(is_border.sum())

    def rung(nats: float, border_nats: float | None = None) -> Evaluation:
        return Evaluation(nats, n_tokens, n_bytes, n_borders, border_nats)

    rungs = {"uniform": rung(n_tokens * math.log(V), n_borders * math.log(V))}
    rungs |= {name: rung(-float(found.sum()), -float(found[is_border].sum())) for name, found in log_probs.items()}
    rungs |= {name: rung(_added_bits(compress, known, text) * math.log(2)) for name, compress in _compressors().items()}
    if model is not None:
        data = rows or TokenDataset(validation, model.config.context_length, vocab_size=V)
        rungs["GPT"] = evaluate(model, data, tokenizer)
        if rungs["GPT"].n_tokens != n_tokens:
            raise ValueError(f"the rows have {rungs['GPT'].n_tokens:,} tokens that count, the text {n_tokens:,}")
    if floor is not None:
        rungs["floor"] = rung(n_tokens * floor)
    return Ladder(rungs)


def _bytes(ids: np.ndarray, tokenizer: Tokenizer) -> bytes:
    """The bytes that a text's tokens stand for, each document border a byte of its own."""
    pieces = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
    for border in tokenizer.special_tokens.values():
        pieces[border] = BORDER
    return b"".join([pieces[token] for token in ids])


def _added_bits(compress: Callable[[bytes], bytes], known: bytes, text: bytes) -> int:
    """C(xy) - C(x): what ``text`` adds to a compressed file that already holds ``known``."""
    return 8 * (len(compress(known + text)) - len(compress(known)))


def _compressors() -> dict[str, Callable[[bytes], bytes]]:
    import gzip  # here, since some builds of Python lack one of the two
    import lzma

    return {"gzip": gzip.compress, "xz": lzma.compress}
