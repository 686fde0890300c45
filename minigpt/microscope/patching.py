r"""Activation patching: which activations of a clean run bring its answer back into a corrupt one.

The model reads the corrupt tokens, and one activation is replaced by that of the clean run (denoising). The recovery
is 1 where that restores the answer and 0 where it changes nothing. With clean and corrupt tokens exchanged, patching
asks what destroys the answer (noising); the two are not symmetric.

Dimensions: B batch, T positions, H heads, L layers, V vocabulary.
Source: Heimersheim & Nanda 2024, arXiv:2404.15255.
"""

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.microscope.interventions import run_with
from minigpt.microscope.names import activation_names
from minigpt.microscope.record import look
from minigpt.microscope.running import ids_of_rows, on_device, require_gpt
from minigpt.microscope.views.kinds import patching_view
from minigpt.microscope.views.table import View
from minigpt.microscope.views.tokens import Labels, token_texts
from minigpt.model import GPT, log_softmax
from minigpt.settings import check_choice, nearest, shown, whole_number
from minigpt.settings.language import Bilingual

#: From logits ``(B, T, V)`` to one number.
Metric = Callable[[Tensor], Tensor | float]


@equation(
    "patching-recovery",
    r"r = \frac{p - c}{k - c}",
    symbols={
        "p": "() the metric of the patched run",
        "k": "() that of the clean run",
        "c": "() that of the corrupt run",
        "r": "() recovery: 0 is corrupt, 1 is clean",
    },
    source="the normalised logit difference of Wang et al. 2022, arXiv:2211.00593, section 3",
)
def recovery(patched: Tensor, clean: Tensor, corrupt: Tensor) -> Tensor:
    """How much of the clean run's answer a patched run has.

    Args:
        patched: ``(...)`` metrics of patched runs.
        clean: ``()`` metric of the clean run.
        corrupt: ``()`` metric of the corrupt run.

    Returns:
        ``(...)``; less than 0 or more than 1 where a patch does harm, or more than the clean run.

    Raises:
        ValueError: if the clean and the corrupt run have the same metric, or one of them is not finite.
    """
    at_clean, at_corrupt = torch.as_tensor(clean).item(), torch.as_tensor(corrupt).item()
    if not (math.isfinite(at_clean) and math.isfinite(at_corrupt)):
        raise ValueError(
            f"the metric is {at_clean:.4g} on the clean and {at_corrupt:.4g} on the corrupt tokens; expected finite "
            "numbers"
        )
    if at_clean == at_corrupt:
        raise ValueError(f"the metric is {at_clean:.4g} on the clean and on the corrupt tokens: nothing can recover")
    return (patched - corrupt) / (clean - corrupt)


def logit_difference(right: int | Tensor, wrong: int | Tensor, position: int = -1) -> Callable[[Tensor], Tensor]:
    """The metric: how much larger the logit of one token is than that of another, averaged over the batch.

    Args:
        right: a token id, or ``(B,)`` of them.
        wrong: a token id, or ``(B,)`` of them.
        position: whose logits are read.
    """

    def metric(logits: Tensor) -> Tensor:
        row = _row(logits, position)
        return (_of(row, right, "right") - _of(row, wrong, "wrong")).mean()

    return metric


def log_probability(right: int | Tensor, position: int = -1) -> Callable[[Tensor], Tensor]:
    """The metric: the log-probability of one token in nats, averaged over the batch.

    Args:
        right: a token id, or ``(B,)`` of them.
        position: whose logits are read.
    """
    return lambda logits: _of(log_softmax(_row(logits, position)), right, "right").mean()


def _row(logits: Tensor, position: int) -> Tensor:
    """``(B, V)``: the logits at a position."""
    return logits[:, whole_number("position", position, -logits.shape[1], logits.shape[1] - 1)]


def _of(row: Tensor, token: int | Tensor, name: str) -> Tensor:
    """``(B,)``: the entry of a token in each row ``(B, V)``."""
    return row.gather(1, ids_of_rows(name, token, [len(row)], row)[:, None])[:, 0]


def _measured(metric: Metric, logits: Tensor) -> Tensor:
    """``()``: the metric, which is one number."""
    value: object = metric(logits)
    if isinstance(value, numbers.Real):
        value = torch.tensor(float(value), dtype=torch.float64)
    if not isinstance(value, Tensor) or value.dim() or value.is_complex():
        what = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else shown(value)
        raise ValueError(f"the metric returned {what}; expected one number, such as the mean over the batch")
    if value.isnan():
        raise ValueError("the metric is NaN: expected a number")
    return value


@dataclass(frozen=True, eq=False, repr=False)
class Patching:
    """What a sweep of patches found.

    Attributes:
        site: the activation that was patched.
        over: what the columns are: "position" or "head".
        values: ``(L, columns)`` recoveries.
        clean: the metric of the clean run.
        corrupt: the metric of the corrupt run.
        ids: ``(T,)`` the first of the clean sequences.
    """

    site: str
    over: str
    values: Tensor
    clean: float
    corrupt: float
    ids: Tensor

    def view(self, labels: Labels = None, lang: str | None = None) -> View:
        """A table for a notebook, blue where the answer is recovered and orange where it gets worse.

        Args:
            labels: a tokenizer, or a text for each position; ``None`` shows ids.
            lang: "en" or "zh"; ``None`` follows the page.

        Raises:
            ValueError: if ``lang`` is unknown.
        """
        texts = token_texts(self.ids.tolist(), labels) if self.over == "position" else []
        places = [f"{place} {text}" for place, text in enumerate(texts)]
        return patching_view(self.values, self.site, self.over, places, self._text(), lang)

    def _repr_html_(self) -> str:
        return self.view().html

    def _text(self) -> Bilingual:
        over = Bilingual(self.over, {"position": "位置", "head": "注意力头"}[self.over])
        heads = Bilingual(
            f"recovery by patching {self.site}; the metric is {self.clean:.4g} clean and {self.corrupt:.4g} corrupt",
            f"修补 {self.site} 的恢复率；指标在原始运行中为 {self.clean:.4g}，在损坏运行中为 {self.corrupt:.4g}",
        )
        numbers = "".join(f"{column:>7}" for column in range(self.values.shape[1]))
        rows = [f"{layer:>5} " + "".join(f"{x:7.2f}" for x in row) for layer, row in enumerate(self.values.tolist())]
        columns = Bilingual(f"layer {numbers}  ({over.en})", f"   层 {numbers}  （{over.zh}）")
        return Bilingual(*("\n".join([head, line, *rows]) for head, line in zip(heads, columns, strict=True)))

    def __str__(self) -> str:
        return self._text().spoken()

    __repr__ = __str__


def patch(
    model: GPT,
    clean: Tensor,
    corrupt: Tensor,
    metric: Metric,
    *,
    site: str = "hook_resid_pre",
    over: str = "position",
) -> Patching:
    """Patch one activation at a time from a clean run into a corrupt one, and take the recovery.

    Args:
        model: a GPT.
        clean: ``(B, T)`` token ids with the answer that is looked for.
        corrupt: ``(B, T)`` token ids that differ in what the answer depends on.
        metric: one number from the logits ``(B, T, V)``, such as :func:`logit_difference`.
        site: the activation, by the name that it has in every block: "hook_resid_pre", "hook_attn_out", "attn.hook_z".
        over: the columns: "position" patches one position of all heads, "head" all positions of one head.

    Returns:
        The recoveries, a row for each layer; the model runs once for each of them.

    Raises:
        ValueError: if the shapes differ, the metrics do not or are no numbers, or there is no such activation.
    """
    require_gpt(model)
    clean, corrupt = on_device(model, clean), on_device(model, corrupt)
    if clean.shape != corrupt.shape:
        raise ValueError(f"clean {tuple(clean.shape)} and corrupt {tuple(corrupt.shape)} must have the same shape")
    check_choice("over", over, ("position", "head"))
    axis = _axis(model, site, over)
    record = look(model, clean, [f"blocks.*.{site}", "logits"])
    at_clean, at_corrupt = (_measured(metric, x) for x in (record.logits, look(model, corrupt, "logits").logits))
    rows = []
    for layer in range(model.config.n_layers):
        source = record[f"blocks.{layer}.{site}"]
        for column in range(source.shape[axis]):

            def edit(x: Tensor, source: Tensor = source, column: int = column) -> Tensor:
                x.select(axis, column).copy_(source.select(axis, column))
                return x

            patched = run_with(model, corrupt, {f"blocks.{layer}.{site}": edit}).logits
            rows.append(_measured(metric, patched))
    values = recovery(torch.stack(rows), at_clean, at_corrupt).unflatten(0, (model.config.n_layers, -1))
    return Patching(site, over, values.cpu(), float(at_clean), float(at_corrupt), clean[0].cpu())


def _axis(model: GPT, site: str, over: str) -> int:
    """The axis of an activation along which it is patched."""
    known = [name.removeprefix("blocks.0.") for name in activation_names(model) if name.startswith("blocks.0.")]
    if site not in known:
        raise ValueError(f"site={site!r} is no activation of this model's blocks{nearest(site, known)}")
    table = site in ("attn.hook_pattern", "attn.hook_attn_scores")  # (B, H, T, T)
    if over == "position":
        return 2 if table else 1
    if not site.startswith("attn."):
        raise ValueError(f"site={site!r} has no heads; over='head' takes one of attention, such as 'attn.hook_z'")
    return 1 if table else 2
