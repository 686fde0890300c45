"""``mg.look``: every named activation of one forward pass.

Dimensions: B batch, T positions, D model width, H query heads, G key/value heads, E head width, F hidden width of the
MLP, V vocabulary, L layers.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from minigpt.microscope.names import chosen_names, head_of, unknown
from minigpt.microscope.running import at_rest, on_device, on_the_path, require_gpt
from minigpt.microscope.taps import tapped
from minigpt.microscope.views.kinds import attention_view, stacked
from minigpt.microscope.views.table import View
from minigpt.microscope.views.tokens import Labels, token_texts
from minigpt.model import GPT, GPTConfig
from minigpt.model.experts import expert_shares
from minigpt.settings import whole_number
from minigpt.settings.language import Bilingual

_TITLE = Bilingual("{n} activations of {shape} tokens, {size:.1f} MiB", "{n} 个激活值，词元 {shape}，{size:.1f} MiB")


class Activations:
    """What a model computed on the way to its logits, by name: ``record["blocks.0.attn.hook_z"]``.

    Shapes: ``hook_q`` and ``hook_z`` are ``(B, T, H, E)``, ``hook_k`` and ``hook_v`` ``(B, T, G, E)``, ``hook_result``
    ``(B, T, H, D)``, ``hook_attn_scores`` and ``hook_pattern`` ``(B, H, T, T)`` with the queries first, ``hook_scale``
    of a norm ``(B, T, 1)``, ``mlp.hook_pre`` and ``mlp.hook_post`` ``(B, T, F)``, ``logits`` ``(B, T, V)``, and all the
    others ``(B, T, D)``.

    Args:
        config: of the model.
        ids: ``(B, T)``, what it read.
        tensors: the activations by name, in the order of computation.
    """

    def __init__(self, config: GPTConfig, ids: Tensor, tensors: dict[str, Tensor]) -> None:
        self.config, self.ids, self._tensors = config, ids, tensors

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise ValueError(f"{unknown(name, list(self._tensors))}; this record holds {len(self._tensors)} of them")
        return self._tensors[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def keys(self) -> list[str]:
        """The names, in the order of computation."""
        return list(self._tensors)

    @property
    def attention(self) -> list[Tensor]:
        """The attention weights of each layer, ``(B, H, T, T)``: row t holds the weights of query t."""
        return [self[f"blocks.{layer}.attn.hook_pattern"] for layer in range(self.config.n_layers)]

    @property
    def residual(self) -> list[Tensor]:
        """The residual stream, L + 1 ``(B, T, D)``: ``residual[l]`` enters block l, ``residual[L]`` is the end."""
        last = self.config.n_layers - 1
        entering = [self[f"blocks.{layer}.hook_resid_pre"] for layer in range(self.config.n_layers)]
        return [*entering, self[f"blocks.{last}.hook_resid_post"]]

    @property
    def logits(self) -> Tensor:
        """``(B, T, V)``: what the model returned, with attention by its formula where that was recorded."""
        return self["logits"]

    def attention_view(
        self,
        labels: Labels = None,
        sequence: int = 0,
        layers: Sequence[int] | None = None,
        lang: str | None = None,
    ) -> View:
        """The attention weights as a table with a choice of layer and head, for a notebook.

        Args:
            labels: a tokenizer, or a text for each position; ``None`` shows ids.
            sequence: which of the batch.
            layers: which ones; ``None`` means all.
            lang: "en" or "zh"; ``None`` follows the page.

        Raises:
            ValueError: if the record has no weights, or too many for a page, or ``lang`` is unknown.
        """
        sequence = whole_number("sequence", sequence, -len(self.ids), len(self.ids) - 1)
        chosen = range(self.config.n_layers) if layers is None else layers
        patterns = [self[f"blocks.{layer}.attn.hook_pattern"] for layer in chosen]
        texts = token_texts(self.ids[sequence].tolist(), labels)
        return attention_view(stacked(patterns, sequence), texts, chosen, lang)

    def __str__(self) -> str:
        rows: dict[tuple[str, tuple[int, ...]], list[str]] = {}
        for name, x in self._tensors.items():
            rows.setdefault((head_of(name), tuple(x.shape)), []).append(name)
        shown = [(name.replace("*", _layers(names)), str(shape)) for (name, shape), names in rows.items()]
        width = max((len(name) for name, _ in shown), default=0)
        size = sum(x.numel() * x.element_size() for x in self._tensors.values()) / 2**20
        title = _TITLE.spoken().format(n=len(self._tensors), shape=tuple(self.ids.shape), size=size)
        return "\n".join([title, *(f"{name:<{width}}  {shape}" for name, shape in shown)])

    __repr__ = __str__


def _layers(names: list[str]) -> str:
    """The layers of names that differ in nothing else: "0" or "0…3", or each of them."""
    layers = [int(name.split(".")[1]) for name in names if name.startswith("blocks.")]
    if not layers:
        return "*"
    if layers != list(range(layers[0], layers[-1] + 1)):
        return ",".join(map(str, layers))
    return str(layers[0]) if len(layers) == 1 else f"{layers[0]}…{layers[-1]}"


def look(model: GPT, ids: Tensor, names: str | Iterable[str] | None = None, *, gradients: bool = False) -> Activations:
    """Run a model once, without dropout, and record its activations.

    Attention is computed by its formula in the layers whose scores or weights are recorded (``hook_attn_scores``,
    ``hook_pattern``). If these are all layers, the logits are bit for bit those of the model with
    ``attention="formula"``, and those of other kernels up to the rounding of the dtype: of the largest logit, about
    1e-6 in float32 and 1 to 2 % in bfloat16, as far as either is from the exact ones. Without these names they are bit
    for bit what the model returns.

    Args:
        model: a GPT; it is left in the mode in which it was.
        ids: ``(B, T)`` token ids, on any device.
        names: what to record, such as ``"blocks.*.attn.hook_pattern"``; ``None`` records everything, which takes a few
            hundred numbers for each number of the stream and all T × T weights.
        gradients: whether the activations belong to a graph that can be differentiated: what follows is computed from
            the recorded tensors, so that ``torch.autograd.grad(loss, record[name])`` is the derivative by each of them,
            as if :func:`minigpt.microscope.run_with` replaced it. What is computed on the way, such as a norm's scale,
            then takes part, and rounds the logits.

    Returns:
        The activations, as the model computed them.

    Raises:
        ValueError: if a name is unknown, the model is not a :class:`minigpt.GPT`, or the ids are not for it.
    """
    require_gpt(model)
    chosen, tensors = chosen_names(model, names), dict[str, Tensor]()
    ids = on_device(model, ids)

    def tap(name: str, x: Tensor) -> Tensor:
        tensors[name] = on_the_path(x) if gradients else x
        return tensors[name]

    with at_rest(model), torch.set_grad_enabled(gradients), tapped(model, tap, chosen):
        model(ids)
    return Activations(model.config, ids, tensors)


def expert_usage(looked_at: GPT | Activations, ids: Tensor | None = None) -> Tensor:
    """The share of the tokens that go through each expert of each layer.

    Args:
        looked_at: a model with experts, which then reads ``ids``; or what :func:`look` recorded of one, with the
            scores of its routers, ``"blocks.*.mlp.hook_router"``.
        ids: ``(B, T)`` token ids for a model; ``None`` with a record.

    Returns:
        ``(L, n)``: each row has the sum k, the number of experts that a token goes through, and is k / n everywhere
        where all experts get as many tokens.

    Raises:
        ValueError: if the model has no experts, there are ids for a record or none for a model, or the record has no
            scores.
    """
    is_record = isinstance(looked_at, Activations)
    if not is_record:
        require_gpt(looked_at)
    config = looked_at.config
    if config.n_experts is None:
        raise ValueError("the model has no experts, n_experts=None; build it with GPTConfig(n_experts=8)")
    if is_record != (ids is None):
        raise ValueError("give a model and ids, or a record alone: it holds what the model computed of its own ids")
    names = [f"blocks.{layer}.mlp.hook_router" for layer in range(config.n_layers)]
    record = look(looked_at, ids, names) if isinstance(looked_at, GPT) and ids is not None else looked_at
    assert isinstance(record, Activations)
    return torch.stack([expert_shares(record[name], config.n_active_experts) for name in names])
