r"""Logit lens: what the model would predict if it ended after each layer.

The final norm and the head read the residual stream of every layer as they read the last one. Layers were not trained
for that, so early rows may say little.

Dimensions: L layers, K = L + 1 streams, B batch, T positions, D model width, V vocabulary.
"""

from dataclasses import dataclass

import torch
from einops import einsum
from torch import Tensor, nn

from minigpt.equations import equation
from minigpt.microscope.frozen_norms import norm_scale, normalised_by
from minigpt.microscope.record import look
from minigpt.microscope.running import at_rest, ids_of_rows, on_device, require_gpt
from minigpt.microscope.views.kinds import lens_view
from minigpt.microscope.views.table import View
from minigpt.microscope.views.tokens import Labels
from minigpt.model import GPT, cross_entropy_from_logits
from minigpt.settings import check_choice, whole_number

#: How the streams are normalised.
SCALES = ("own", "last", "none")


@equation(
    "logit-lens",
    r"z_{kti} = U_i \cdot N(h_k)_t",
    symbols={
        "h": "(K, T, D) residual streams, one for each layer and one for the output",
        "N": "function final norm",
        "U": "(V, D) matrix of the head",
        "z": "(K, T, V) logits",
    },
    source="nostalgebraist 2020, Interpreting GPT: the logit lens",
)
def lens_logits(streams: Tensor, norm: nn.Module, head: Tensor) -> Tensor:
    """The final norm and the head on every stream.

    Args:
        streams: ``(K, ..., T, D)``.
        norm: the final norm.
        head: ``(V, D)``, the matrix of the head.

    Returns:
        ``(K, ..., T, V)``.
    """
    return einsum(norm(streams), head, "... d, v d -> ... v")


@dataclass(frozen=True, eq=False, repr=False)
class LogitLens:
    """The logits of every layer.

    Attributes:
        ids: ``(B, T)``, what the model read.
        logits: ``(L + 1, B, T, V)``; row l is for the stream that enters block l, the last one for the model's output.
    """

    ids: Tensor
    logits: Tensor

    def log_probabilities(self, targets: Tensor) -> Tensor:
        """How probable each layer finds some tokens.

        Args:
            targets: ``(B, T)`` token ids, such as the next tokens.

        Returns:
            ``(L + 1, B, T)`` in nats.
        """
        chosen = ids_of_rows("targets", targets, self.logits.shape[:-1], self.logits)
        return -cross_entropy_from_logits(self.logits, chosen)

    def ranks(self, targets: Tensor) -> Tensor:
        """How many tokens each layer finds more probable than some tokens.

        Args:
            targets: ``(B, T)`` token ids.

        Returns:
            ``(L + 1, B, T)``; 0 is the most probable.
        """
        chosen = ids_of_rows("targets", targets, self.logits.shape[:-1], self.logits)
        return (self.logits > self.logits.gather(-1, chosen[..., None])).sum(-1)

    def top(self, sequence: int = 0) -> Tensor:
        """The most probable token of each layer at each position.

        Args:
            sequence: which of the batch.

        Returns:
            ``(L + 1, T)`` token ids.
        """
        return self.logits[:, self._one_of_the_batch(sequence)].argmax(-1)

    def view(self, labels: Labels = None, sequence: int = 0, lang: str | None = None) -> View:
        """A table for a notebook: the most probable token of each layer, darker the more probable.

        Args:
            labels: a tokenizer; ``None`` shows ids.
            sequence: which of the batch.
            lang: "en" or "zh"; ``None`` follows the page.

        Raises:
            ValueError: if ``lang`` is unknown, or there is no such sequence.
        """
        sequence = self._one_of_the_batch(sequence)
        return lens_view(self.ids[sequence].cpu(), self.logits[:, sequence].cpu(), labels, lang)

    def _one_of_the_batch(self, sequence: int) -> int:
        return whole_number("sequence", sequence, -len(self.ids), len(self.ids) - 1)

    def _repr_html_(self) -> str:
        return self.view().html

    def __str__(self) -> str:
        return str(self.view())

    __repr__ = __str__


def logit_lens(model: GPT, ids: Tensor, *, scale: str = "own") -> LogitLens:
    """Read every layer's residual stream as the model reads its last one.

    Args:
        model: a GPT; in a post-norm model the streams are normalised already.
        ids: ``(B, T)`` token ids.
        scale: "own": the final norm as it is; "last": the norm divides every stream by the scale of the last one, so
            that the logits of a layer are those of the layer before plus what the layer adds; "none": the stream meets
            the head without the norm.

    Returns:
        The logits of every layer.

    Raises:
        ValueError: if ``scale`` is unknown, or :func:`minigpt.look` refuses the rest.
    """
    require_gpt(model)
    check_choice("scale", scale, SCALES)
    ids = on_device(model, ids)
    record = look(model, ids, ["*hook_resid_pre", "*hook_resid_post"])
    streams = torch.stack(record.residual)
    with torch.no_grad(), at_rest(model):
        if scale == "own":
            logits = lens_logits(streams, model.norm, model.head.weight)
        elif scale == "last":
            logits = model.head(normalised_by(model.norm, streams, norm_scale(model.norm, streams[-1])))
        else:
            logits = model.head(streams)
    return LogitLens(ids, logits)


def residual_norms(model: GPT, ids: Tensor) -> Tensor:
    """How long the residual stream is.

    Args:
        model: a GPT.
        ids: ``(B, T)`` token ids.

    Returns:
        ``(L + 1, B, T)`` Euclidean lengths; row l is for the stream that enters block l.
    """
    return torch.stack(look(model, ids, ["*hook_resid_pre", "*hook_resid_post"]).residual).norm(dim=-1)
