"""What a vector stands for, by example: the nearest tokens of an embedding, the contexts in which a neuron is active.

Dimensions: B batch, T positions, D model width, F hidden width of the MLP, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.microscope.record import look
from minigpt.microscope.running import on_device, require_gpt
from minigpt.microscope.views.tokens import Labels, token_texts
from minigpt.model import GPT
from minigpt.settings import whole_number
from minigpt.settings.language import Bilingual, columns_of, filled

_TOKEN, _COSINE = Bilingual("token", "词元"), Bilingual("cosine", "余弦")
_PLACE, _VALUE = Bilingual("place", "位置"), Bilingual("activation", "激活值")
_UP_TO = Bilingual("tokens up to it", "到此为止的词元")


@equation(
    "cosine-similarity",
    r"c_i = \frac{U_i \cdot q}{\sqrt{U_i \cdot U_i} \sqrt{q \cdot q}}",
    symbols={
        "U": "(V, D) vectors, such as token embeddings",
        "q": "(D) the vector that they are compared with",
        "c": "(V) from -1 to 1",
    },
    source="Salton, Wong & Yang 1975, A vector space model for automatic indexing",
)
def cosine_similarity(vectors: Tensor, query: Tensor) -> Tensor:
    """The cosine of the angle between each vector and one of them, or another.

    Args:
        vectors: ``(V, D)``.
        query: ``(D,)``.

    Returns:
        ``(V,)``; 0 where a vector is 0.
    """
    lengths = vectors.norm(dim=-1) * query.norm()
    return (vectors @ query) / lengths.clamp(min=torch.finfo(vectors.dtype).tiny)


class NearestTokens(list[tuple[int, float]]):
    """Pairs of token id and cosine, the nearest first; printed as a table."""

    def text(self, labels: Labels = None) -> str:
        """The table.

        Args:
            labels: a tokenizer; ``None`` shows ids.
        """
        tokens = token_texts([token for token, _ in self], labels)
        return _table(
            (_TOKEN.spoken(), _COSINE.spoken()), [(t, f"{c:.3f}") for t, (_, c) in zip(tokens, self, strict=True)]
        )

    def __repr__(self) -> str:
        return self.text()

    __str__ = __repr__


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(columns_of, column)) for column in zip(heads, *rows, strict=True)]
    return "\n".join("  ".join(map(filled, row, widths)).rstrip() for row in (heads, *rows))


def nearest_tokens(model: GPT, token: int | Tensor, k: int = 10) -> NearestTokens:
    """The tokens whose embeddings point most nearly in a direction.

    Args:
        model: a GPT.
        token: a token id, or a vector ``(D,)``.
        k: how many; at most V.

    Returns:
        Pairs of token id and cosine, the nearest first; a token's own embedding is left out. Printed they are a table;
        ``.text(tokenizer)`` is the same with the texts of the tokens.

    Raises:
        ValueError: if there is no such token.
    """
    require_gpt(model)
    k = whole_number("k", k, 1)
    vectors = model.token_embedding.weight.detach()
    if isinstance(token, Tensor) and token.shape == vectors.shape[1:]:
        return NearestTokens(_best(cosine_similarity(vectors, token.to(vectors)), k))
    try:
        number = whole_number("token", token, 0, len(vectors) - 1)
    except ValueError as error:
        raise ValueError(f"{error}, or a vector of {vectors.shape[1]} numbers") from None
    cosines = cosine_similarity(vectors, vectors[number])
    cosines[number] = -torch.inf
    return NearestTokens(_best(cosines, min(k, len(vectors) - 1)))


def _best(values: Tensor, k: int) -> list[tuple[int, float]]:
    found = values.topk(min(k, len(values)))
    return [(int(i), float(value)) for value, i in zip(found.values, found.indices, strict=True)]


@dataclass(frozen=True, eq=False)
class NeuronContext:
    """Where a neuron was active.

    Attributes:
        place: of the token in the text, counted from 0.
        value: of the activation.
        ids: the token and those before it, the last one being the token.
    """

    place: int
    value: float
    ids: list[int]

    def text(self, labels: Labels = None) -> str:
        """The tokens as one text.

        Args:
            labels: a tokenizer; ``None`` shows ids.
        """
        return ("" if labels is not None else " ").join(token_texts(self.ids, labels))


class TopContexts(list[NeuronContext]):
    """Where a neuron is most active, the highest activation first; printed as a table."""

    def text(self, labels: Labels = None) -> str:
        """The table.

        Args:
            labels: a tokenizer; ``None`` shows ids.
        """
        heads = (_PLACE.spoken(), _VALUE.spoken(), _UP_TO.spoken())
        return _table(heads, [(str(each.place), f"{each.value:.3f}", each.text(labels)) for each in self])

    def __repr__(self) -> str:
        return self.text()

    __str__ = __repr__


def top_contexts(model: GPT, ids: Tensor, layer: int, neuron: int, *, k: int = 10, width: int = 12) -> TopContexts:
    """Where in a text a neuron of an MLP is most active.

    The text is read in pieces as long as the context, so the tokens at the start of a piece are read without those
    before the piece.

    Args:
        model: a GPT.
        ids: ``(T,)`` token ids of a text of any length.
        layer: of the block.
        neuron: 0 to F - 1.
        k: how many places.
        width: how many tokens of context each place is shown with, itself included.

    Returns:
        The places, the highest activation (``mlp.hook_post``) first. Printed they are a table; ``.text(tokenizer)`` is
        the same with the texts of the tokens.

    Raises:
        ValueError: if there is no such neuron, or the text is not ``(T,)``.
    """
    require_gpt(model)
    config, k, width = model.config, whole_number("k", k, 1), whole_number("width", width, 1)
    layer = whole_number("layer", layer, 0, config.n_layers - 1)
    neuron = whole_number("neuron", neuron, 0, config.hidden_width - 1)
    if not isinstance(ids, Tensor) or ids.dim() != 1 or not len(ids):
        raise ValueError(f"ids must be a tensor (T,) of at least one token, got {getattr(ids, 'shape', type(ids))}")
    name = f"blocks.{layer}.mlp.hook_post"
    pieces = on_device(model, ids).split(config.context_length)
    values = torch.cat([look(model, piece[None], name)[name][0, :, neuron] for piece in pieces])
    own = ids.tolist()
    return TopContexts(NeuronContext(at, value, own[max(0, at + 1 - width) : at + 1]) for at, value in _best(values, k))
