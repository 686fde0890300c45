"""The widths and counts that follow from a model's configuration, and which of them fit together.

Dimensions: D model width, L layers, H query heads, G key/value heads, E head width, F hidden width, N parameters.
"""

import re
from typing import Any

from minigpt.model.positions.scaling import RopeScaling, check_scaling
from minigpt.settings import rule_of, shown, values

MOST_PARAMETERS = 10**13  # 40 TB in float32, more than any model that was ever trained has


class ModelShape:
    """What a :class:`minigpt.GPTConfig` has besides its fields, by its fields alone."""

    vocab_size: int
    context_length: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int | None
    position: Any
    norm: Any
    norm_placement: Any
    qk_norm: bool
    mlp: Any
    n_experts: int | None
    n_active_experts: int
    bias: bool
    tied_head: bool
    convolution: int | None
    window: int | None
    window_layers: str

    @property
    def kv_heads(self) -> int:
        """G, with ``None`` resolved."""
        return int(self._or_rule("n_kv_heads"))

    @property
    def head_width(self) -> int:
        """E, with ``None`` resolved."""
        return int(self._or_rule("d_head"))

    @property
    def heads_width(self) -> int:
        """H · E, the width of all heads side by side; it is D unless ``d_head`` says otherwise."""
        return self.n_heads * self.head_width

    @property
    def hidden_width(self) -> int:
        """F, with ``None`` resolved."""
        return int(self._or_rule("d_hidden"))

    @property
    def active_width(self) -> int:
        """F of all MLPs that a token goes through: one, or the active experts of a mixture."""
        return self.hidden_width * (1 if self.n_experts is None else self.n_active_experts)

    @property
    def biases(self) -> dict[str, bool]:
        """Which linear maps of a block have biases: "qkv", "out" and "mlp"."""
        return {place: bool(self._or_rule(f"{place}_bias")) for place in ("qkv", "out", "mlp")}

    @property
    def rope(self) -> RopeScaling:
        """How the rotary frequencies are changed."""
        names = ("factor", "original_context", "low_turns", "high_turns", "attention_factor")
        return RopeScaling(
            kind=getattr(self, "rope_scaling"),  # noqa: B009 (a field of the configuration, whose type is narrower)
            **{name: self._or_rule(f"rope_{name}") for name in names},
        )

    @property
    def windows(self) -> tuple[int | None, ...]:
        """The window of each layer; ``None`` where it sees the whole past."""
        letters = self.window_layers
        return tuple(self.window if letters[i % len(letters)] == "w" else None for i in range(self.n_layers))

    @property
    def n_parameters(self) -> int:
        """N, the number of trained numbers, counted by arithmetic alone; a tied head counts once."""
        d, f, has = self.d_model, self.hidden_width, self.biases
        columns = (self.n_heads + 2 * self.kv_heads) * self.head_width
        expanding = 2 if self.mlp == "swiglu" else 1
        norm = d * (1 + self.bias) if self.norm == "layer" else d
        attention = (d + has["qkv"]) * columns + (self.heads_width + has["out"]) * d
        attention += 2 * self.head_width * self.qk_norm
        mlp = expanding * (d + has["mlp"]) * f + (f + has["mlp"]) * d
        if self.n_experts is not None:
            mlp = self.n_experts * (mlp + d)
        block = attention + mlp + 2 * norm + d * (self.convolution or 0)
        outside = d * self.vocab_size * (1 if self.tied_head else 2) + norm * (self.norm_placement == "pre")
        positions = d * self.context_length if self.position == "learned" else 0
        return outside + positions + self.n_layers * block

    def _or_rule(self, name: str) -> Any:
        """A field, or what its rule gives."""
        value, rule = getattr(self, name), rule_of(type(self), name)
        return rule.value(values(self)) if value is None and rule is not None else value


def check_shape(config: Any) -> None:
    """Refuse widths that do not fit together, and a model that no machine could hold.

    Args:
        config: a :class:`minigpt.GPTConfig` whose fields have their types.

    Raises:
        ValueError: naming the fields, with what to try.
    """
    d, h = config.d_model, config.n_heads
    if config.d_head is None and d % h:
        fit = f"d_model={d - d % h}" if d > h else f"n_heads={d}"
        raise ValueError(f"d_model={d} must be divisible by n_heads={h}; try {fit}")
    if h % config.kv_heads:
        raise ValueError(
            f"n_heads={h} must be a multiple of n_kv_heads={config.n_kv_heads}; try one of "
            f"{[g for g in range(1, h + 1) if h % g == 0]}"
        )
    needs_pairs = {"sinusoidal": d, "rope-interleaved": config.head_width, "rope-half": config.head_width}
    if needs_pairs.get(config.position, 0) % 2:
        more = f"d_model={d + h}" if config.d_head is None else f"d_head={config.d_head + 1}"
        raise ValueError(
            f"position={config.position!r} needs an even width, got {needs_pairs[config.position]} "
            f"(d_model={d}, n_heads={h}); try {more}"
        )
    if not re.fullmatch("[wf]{1,4096}", config.window_layers):
        raise ValueError(
            f"window_layers must be letters w (a window) and f (the full past), such as 'wf', got "
            f"{shown(config.window_layers)}"
        )
    if config.n_experts is not None and config.n_active_experts > config.n_experts:
        raise ValueError(
            f"n_active_experts={config.n_active_experts} must be at most n_experts={config.n_experts}: a token goes "
            "through some of them"
        )
    _check_rope(config)
    _check_size(config)


def _check_rope(config: Any) -> None:
    if config.rope_scaling == "none":
        return
    if not config.position.startswith("rope"):
        raise ValueError(
            f"rope_scaling={config.rope_scaling!r} needs rotary positions, got position={config.position!r}; use "
            "position='rope-half' or rope_scaling='none'"
        )
    check_scaling(config.rope, config.head_width, config.rope_base)


def _check_size(config: Any) -> None:
    if (n := config.n_parameters) > MOST_PARAMETERS:
        raise ValueError(
            f"a model with d_model={config.d_model}, n_layers={config.n_layers}, vocab_size={config.vocab_size} and "
            f"context_length={config.context_length} has {n:.1e} parameters, {4 * n / 1e12:,.0f} TB in float32; the "
            f"limit is {MOST_PARAMETERS:.0e}, {4 * MOST_PARAMETERS / 1e12:.0f} TB: make it smaller"
        )
