"""The three views: attention weights, the logit lens, and the recoveries of a sweep of patches.

Dimensions: L layers, H heads, T positions, V vocabulary.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from html import escape

import torch
from torch import Tensor

from minigpt.microscope.views.table import Cell, View, in_both, in_view, number_table
from minigpt.microscope.views.tokens import Labels, token_texts
from minigpt.model import softmax
from minigpt.plots import heat_map
from minigpt.settings.language import Bilingual, columns_of, filled, folded

MOST_WEIGHTS = 500_000  # of one view: some 1.5 MB of text
LENS_CAPTION = Bilingual(
    "The most probable next token of each layer, and its probability; ✓ is the token that comes.",
    "每一层最可能的下一个词元及其概率；✓ 表示它就是实际的下一个词元。",
)
LENS_IDS = Bilingual(
    " Tokens are ids; .view(tokenizer) shows their texts.", "词元以编号表示；.view(tokenizer) 显示其文字。"
)


def attention_view(patterns: Tensor, texts: Sequence[str], layers: Sequence[int], lang: str | None = None) -> View:
    """Attention weights in percent, a table of queries and keys, with a choice of layer and head.

    Args:
        patterns: ``(L, H, T, T)`` weights.
        texts: of the T tokens.
        layers: the numbers of the L layers.
        lang: "en" or "zh"; ``None`` follows the page.

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
    choices = _choice(Bilingual("Layer", "层"), layers) + _choice(Bilingual("Head", "注意力头"), range(n_heads))
    corner = Bilingual("query \\ key", "查询 \\ 键")
    data = json.dumps(kept, separators=(",", ":"))
    body = (
        f'<div class="mg-choose" hidden>{choices}</div>'
        + number_table(_attention_caption(layers[0]), corner, places, zip(places, first, strict=True))
        + f'<script type="application/json">{data}</script>'
    )

    def plot(layer: int = 0, head: int = 0) -> object:
        title = f"Layer {layers[layer]}, head {head}"
        return heat_map(patterns[layer, head].float().tolist(), rows=places, columns=places, title=title)

    text = Bilingual(
        f"attention weights of {n_layers} layers × {n_heads} heads on {length} tokens",
        f"{n_layers} 层 × {n_heads} 个注意力头在 {length} 个词元上的注意力权重",
    )
    return View(in_view(body, "mgAttention", lang), plot, text, lang)


def _choice(label: Bilingual, numbers: Iterable[int]) -> str:
    options = "".join(f"<option>{number}</option>" for number in numbers)
    return f"<label>{in_both(*label)}<select>{options}</select></label>"


def _attention_caption(layer: int) -> Bilingual:
    """What the table shows; the script writes other numbers of the layer and the head into it."""
    at, head = f'<span class="mg-layer">{layer}</span>', '<span class="mg-head">0</span>'
    now = '<span aria-live="polite">{}</span>'
    return Bilingual(
        f"Attention weights in percent, a row for each query. {now.format(f'Layer {at}, head {head}')}",
        f"注意力权重（百分比），每行是一个查询。{now.format(f'第 {at} 层，注意力头 {head}')}",
    )


def lens_view(ids: Tensor, logits: Tensor, labels: Labels = None, lang: str | None = None) -> View:
    """The most probable token of every layer at every position, with its probability in percent.

    Args:
        ids: ``(T,)`` what the model read.
        logits: ``(L + 1, T, V)``.
        labels: a tokenizer; ``None`` shows ids.
        lang: "en" or "zh"; ``None`` follows the page.
    """
    chances, best = softmax(logits.float()).max(-1)
    own = None if isinstance(labels, Sequence) else labels
    places = [f"{place} {text}" for place, text in enumerate(token_texts(ids.tolist(), labels))]
    into = [Bilingual(f"into layer {layer}", f"第 {layer} 层的输入") for layer in range(len(logits) - 1)]
    names = [*into, Bilingual("output", "输出")]
    following = [*ids[1:].tolist(), None]
    rows = []
    for tokens, values in zip(best.tolist(), chances.tolist(), strict=True):
        texts = token_texts(tokens, own)
        cells = [
            Cell(text, p, f"{100 * p:.0f}%{' ✓' if token == after else ''}")
            for text, token, p, after in zip(texts, tokens, values, following, strict=True)
        ]
        rows.append(cells)
    written = [[str(cell) for cell in cells] for cells in rows]
    english, chinese = ([name[i] for name in names] for i in (0, 1))
    corner = Bilingual("layer \\ token", "层 \\ 词元")
    captions = [
        said + (ids_said if labels is None else "") for said, ids_said in zip(LENS_CAPTION, LENS_IDS, strict=True)
    ]
    text = Bilingual(
        *(
            f"{folded(caption)}\n{_lines([heading, *headings], [places, *written])}"
            for caption, heading, headings in zip(captions, corner, (english, chinese), strict=True)
        )
    )

    def plot() -> object:
        return heat_map(chances.tolist(), rows=english, columns=places, written=written, title="logit lens")

    table = number_table(LENS_CAPTION, corner, places, zip(names, rows, strict=True))
    return View(in_view(table, lang=lang), plot, text, lang)


def _lines(headings: Sequence[str], written: Sequence[Sequence[str]]) -> str:
    """A table whose first row and first column are headings, in blocks of as many columns as a terminal shows."""
    first = max(map(columns_of, headings))
    widths = [max(map(columns_of, column)) for column in zip(*written, strict=True)]
    room, blocks = shutil.get_terminal_size().columns - first, [[0]]
    for i in range(1, len(widths)):
        fits = sum(widths[k] + 2 for k in (*blocks[-1], i)) <= room
        blocks[-1 if fits else len(blocks) :] = [[*blocks[-1], i]] if fits else [[i]]
    tables = (
        "\n".join(
            "  ".join([filled(name, first), *(filled(cells[i], widths[i]) for i in block)]).rstrip()
            for name, cells in zip(headings, written, strict=True)
        )
        for block in blocks
    )
    return "\n\n".join(tables)


def patching_view(
    values: Tensor, site: str, over: str, places: Sequence[str], text: Bilingual, lang: str | None = None
) -> View:
    """The recovery of every patch.

    Args:
        values: ``(L, columns)``.
        site: the activation that was patched.
        over: what the columns are: "position" or "head".
        places: the headings of the positions; heads have their numbers.
        text: what is shown where there is no HTML.
        lang: "en" or "zh"; ``None`` follows the page.
    """
    heads = [Bilingual(f"head {head}", f"头 {head}") for head in range(values.shape[1])]
    columns = places if over == "position" else heads
    names = [Bilingual(f"layer {layer}", f"第 {layer} 层") for layer in range(len(values))]
    numbers = [[round(x, 2) + 0.0 for x in row] for row in values.tolist()]  # + 0.0: no minus before a zero
    rows = [[Cell(f"{x:.2f}".replace("-", "−"), x) for x in row] for row in numbers]
    chinese = {"position": "位置", "head": "注意力头"}[over]
    title = f"Recovery by patching {site}, by {over}"
    caption = Bilingual(escape(title), f"修补 {escape(site)} 的恢复率，按{chinese}")
    corner = Bilingual(f"layer \\ {over}", f"层 \\ {chinese}")

    def plot() -> object:
        rows, headings = ([_english(text) for text in texts] for texts in (names, columns))
        return heat_map(values.tolist(), rows=rows, columns=headings, title=title, two_sided=True)

    table = number_table(caption, corner, columns, zip(names, rows, strict=True))
    return View(in_view(table, lang=lang), plot, text, lang)


def _english(text: str | Bilingual) -> str:
    return text.en if isinstance(text, Bilingual) else text


def stacked(patterns: Sequence[Tensor], sequence: int) -> Tensor:
    """``(L, H, T, T)``: the weights of one sequence.

    Args:
        patterns: ``(B, H, T, T)`` for each layer.
        sequence: which of the batch.
    """
    return torch.stack([pattern[sequence] for pattern in patterns]).detach().cpu()
