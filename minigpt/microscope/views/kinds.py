"""The three views: attention weights, the logit lens, and the recoveries of a sweep of patches.

Dimensions: L layers, H heads, T positions, V vocabulary.
"""

import json
from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from minigpt.microscope.views.table import Cell, View, in_view, number_table
from minigpt.microscope.views.tokens import Labels, token_texts
from minigpt.model import softmax
from minigpt.plots import heat_map

MOST_WEIGHTS = 500_000  # of one view: some 1.5 MB of text


def attention_view(patterns: Tensor, texts: Sequence[str], names: Sequence[str]) -> View:
    """Attention weights in percent, a table of queries and keys, with a choice of layer and head.

    Args:
        patterns: ``(L, H, T, T)`` weights.
        texts: of the T tokens.
        names: of the L layers, such as "Layer 0".

    Raises:
        ValueError: if there are too many weights for a page.
    """
    n_layers, n_heads, length = patterns.shape[:3]
    if n_layers * n_heads * length * length > MOST_WEIGHTS:
        raise ValueError(
            f"{n_layers} layers × {n_heads} heads × {length}² weights are too many for a page (at most "
            f"{MOST_WEIGHTS:,}): choose some layers, or look at fewer tokens"
        )
    percent = (100 * patterns.float()).round().int().tolist()
    kept = [[[row[: t + 1] for t, row in enumerate(head)] for head in layer] for layer in percent]
    places = [f"{place} {text}" for place, text in enumerate(texts)]
    first = [
        [Cell(str(w or "·") if s <= t else "", w / 100) for s, w in enumerate(row)]
        for t, row in enumerate(percent[0][0])
    ]
    options = ("".join(f"<option>{escape(name)}</option>" for name in each) for each in (names, _heads(n_heads)))
    choose = "".join(
        f"<label>{label}<select>{option}</select></label>"
        for label, option in zip(("Layer", "Head"), options, strict=True)
    )
    caption = (
        "Attention weights in percent: each row is a query, each column a key. "
        f'<span class="mg-now" aria-live="polite">{escape(names[0])}, head 0</span>'
    )
    data = json.dumps(kept, separators=(",", ":"))
    body = (
        f'<div class="mg-choose" hidden>{choose}</div>'
        + number_table(caption, "query \\ key", places, zip(places, first, strict=True))
        + f'<script type="application/json">{data}</script>'
    )

    def plot(layer: int = 0, head: int = 0) -> object:
        title = f"{names[layer]}, head {head}"
        return heat_map(patterns[layer, head].float().tolist(), rows=places, columns=places, title=title)

    text = f"attention weights of {n_layers} layers × {n_heads} heads on {length} tokens"
    return View(in_view(body, "Attention weights", "mgAttention"), plot, text)


def _heads(n_heads: int) -> list[str]:
    return [f"Head {head}" for head in range(n_heads)]


def lens_view(ids: Tensor, logits: Tensor, labels: Labels = None) -> View:
    """The most probable token of every layer at every position, with its probability in percent.

    Args:
        ids: ``(T,)`` what the model read.
        logits: ``(L + 1, T, V)``.
        labels: a tokenizer; ``None`` shows ids.
    """
    chances, best = softmax(logits.float()).max(-1)
    own = None if isinstance(labels, Sequence) else labels
    places = [f"{place} {text}" for place, text in enumerate(token_texts(ids.tolist(), labels))]
    names = [*(f"into layer {layer}" for layer in range(len(logits) - 1)), "output"]
    following = [*ids[1:].tolist(), None]
    rows = []
    for name, tokens, values in zip(names, best.tolist(), chances.tolist(), strict=True):
        texts = token_texts(tokens, own)
        cells = [
            Cell(f"{text} {100 * p:.0f}{' ✓' if token == after else ''}", p)
            for text, token, p, after in zip(texts, tokens, values, following, strict=True)
        ]
        rows.append((name, cells))
    caption = "The most probable next token of each layer, and its probability in percent; ✓ is the token that comes."
    text = "\n".join(f"{name:<14}" + "  ".join(cell.text for cell in cells) for name, cells in rows)
    written = [[cell.text for cell in cells] for _, cells in rows]

    def plot() -> object:
        return heat_map(chances.tolist(), rows=names, columns=places, written=written, title="logit lens")

    return View(in_view(number_table(caption, "layer \\ token", places, rows), "Logit lens"), plot, text)


def patching_view(values: Tensor, columns: Sequence[str], caption: str, text: str) -> View:
    """The recovery of every patch.

    Args:
        values: ``(L, columns)``.
        columns: their headings.
        caption: what was patched.
        text: what is shown where there is no HTML.
    """
    names = [f"layer {layer}" for layer in range(len(values))]
    rows = [
        (name, [Cell(f"{x:.2f}".replace("-", "−"), x) for x in row])
        for name, row in zip(names, values.tolist(), strict=True)
    ]

    def plot() -> object:
        return heat_map(values.tolist(), rows=names, columns=columns, title=caption, two_sided=True)

    body = number_table(escape(caption), "layer \\ place", columns, rows)
    return View(in_view(body, "Activation patching"), plot, text)


def stacked(patterns: Sequence[Tensor], sequence: int) -> Tensor:
    """``(L, H, T, T)``: the weights of one sequence.

    Args:
        patterns: ``(B, H, T, T)`` for each layer.
        sequence: which of the batch.
    """
    return torch.stack([pattern[sequence] for pattern in patterns]).detach().cpu()
