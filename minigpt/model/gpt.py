"""GPT: token ids in, logits out.

A model with its own head has a second matrix in place of the tied embedding. A post-norm model has normalised its last
sum already and takes the identity as its final norm.

Dimensions: B batch, T positions, D model width, V vocabulary, L layers.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from minigpt.equations import Equation, equation
from minigpt.model.block import BLOCKS, build_norm
from minigpt.model.cache import Cache
from minigpt.model.config import GPTConfig
from minigpt.model.initialisation import initialise
from minigpt.model.inspection import numbers_of
from minigpt.model.positions.schemes import POSITIONS


@equation(
    "gpt",
    r"z_{ti} = U_i \cdot N(h)_t",
    where=[r"h = B(u)", r"u_t = U_{x_t} + P_t"],
    symbols={
        "x": "(T) token ids, counted from 1",
        "U": "(V, D) token embedding, used again as the head",
        "P": "(T, D) learned positions",
        "B": "function the L blocks, one after another",
        "N": "function final norm",
        "u": "(T, D) what enters the first block",
        "z": "(T, V) logits",
    },
    source="Radford et al. 2018 (GPT) and 2019 (GPT-2), section 2.3; tied head: Press & Wolf 2017, arXiv:1608.05859",
)
class GPT(nn.Module):
    """A decoder-only Transformer language model.

    Args:
        config: its shape and parts.
        generator: where the initial weights are drawn from; ``None`` means PyTorch's global generator.
    """

    equation: ClassVar[Equation]
    parameter_roles: ClassVar = {"token_embedding": "embedding", "head": "embedding"}
    n_replaced = 0
    """How many parameters a copy for generation keeps in another layout."""

    def __init__(self, config: GPTConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position = POSITIONS[config.position](
            config.context_length, config.d_model, config.n_heads, config.rope_base, (config.head_width, config.rope)
        )
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(BLOCKS[config.norm_placement](config, layer) for layer in range(config.n_layers))
        self.norm = build_norm(config) if config.norm_placement == "pre" else nn.Identity()
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied_head:
            self.head.weight = self.token_embedding.weight
        initialise(self, config.initialisation, config.init_std, config.n_layers, generator)
        self.register_load_state_dict_pre_hook(_tie_entries)
        self.register_load_state_dict_post_hook(_tie_again)

    def forward(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """The logits of the next token after each position.

        Args:
            ids: ``(B, T)`` int64 token ids, 1 ≤ T ≤ context_length.
            cache: what the model has kept of the tokens before ``ids``; it is extended by ``ids``. ``None``: nothing
                comes before.

        Returns:
            ``(B, T, V)``; row t depends on ids ≤ t alone, and on those that the cache has read.

        Raises:
            ValueError: if ``ids`` has another shape or dtype, is longer than the context, or holds an id outside
                0 … V-1 (looked for on the CPU; a GPU would have to wait for the answer); or if the cache is full or
                does not fit.
        """
        return self.head(self.features(ids, cache))

    def features(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """What enters the head; the arguments are those of :meth:`forward`.

        Returns:
            ``(B, T, D)``, normalised.
        """
        return self.norm(self.residual_stream(ids, cache))

    def residual_stream(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """What leaves the last block; the arguments are those of :meth:`forward`.

        Returns:
            ``(B, T, D)``, before the final norm, which takes each position by itself.
        """
        self._check_ids(ids)
        if cache is None:
            context = self.position.context(ids.shape[1], ids.device)
        else:
            cache.begin(ids, self.config)
            context = cache.context(self.position.context(ids.shape[1], ids.device, cache.length))
        x = self.drop(self.position.add_to(self.token_embedding(ids), context))
        for layer, block in enumerate(self.blocks):
            x = block(x, context if cache is None else cache.of_layer(layer, context))
        if cache is not None:
            cache.advance(ids.shape[1])
        return x

    def new_cache(
        self,
        n_rows: int = 1,
        n_positions: int | None = None,
        *,
        padding: Sequence[int] = (),
        dtype: torch.dtype | None = None,
    ) -> Cache:
        """An empty cache for this model.

        Args:
            n_rows: B, rows that are read together.
            n_positions: the most tokens of a row, padding included; by default ``context_length``.
            padding: how many of the first tokens of each row are padding; by default none.
            dtype: of the keys and values that are kept, in which attention to them is computed if it is wider than
                the model's; by default that of the model, on a CPU at least float32, as attention computes there.

        Raises:
            ValueError: if a number is outside its range.
        """
        n_positions = self.config.context_length if n_positions is None else n_positions
        weight = self.token_embedding.weight
        if dtype is None:
            dtype = torch.promote_types(weight.dtype, torch.float32) if weight.is_cpu else weight.dtype
        return Cache(self.config, n_rows, n_positions, padding=padding, dtype=dtype, device=weight.device)

    @property
    def has_tied_head(self) -> bool:
        """Whether the head's matrix is the embedding matrix, one tensor for both."""
        return getattr(self.head, "weight", None) is self.token_embedding.weight

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What moves and converts the weights: where it makes new ones (``to_empty``), a tied head stays tied."""
        tied = self.has_tied_head
        super()._apply(fn, recurse)
        if tied:
            self.head.weight = self.token_embedding.weight
        return self

    @property
    def n_parameters(self) -> int:
        """N, the number of trained numbers; a tied head counts once. A copy for generation has as many as its model."""
        return self.n_replaced + sum(parameter.numel() for parameter in self.parameters())

    def _check_ids(self, ids: Tensor) -> None:
        if not isinstance(ids, Tensor):
            raise ValueError(
                f"ids are a {type(ids).__name__}; expected a tensor (B, T) int64, as torch.tensor([[0, 1]])"
            )
        if ids.dim() != 2 or ids.dtype not in (torch.int64, torch.int32):
            raise ValueError(
                f"ids have shape {tuple(ids.shape)} and dtype {ids.dtype}; expected (B, T) int64; "
                "for one sequence use ids.unsqueeze(0)"
            )
        limit = self.config.context_length
        if not 1 <= ids.shape[1] <= limit:
            raise ValueError(
                f"got {ids.shape[1]} tokens; this model takes 1 to context_length={limit}; keep the last with "
                f"ids[:, -{limit}:], or build the model with a longer context"
            )
        asks = ids.device.type == "cpu" and not torch.compiler.is_compiling()
        if asks and (known := numbers_of(ids)).numel():
            low, high = (int(bound) for bound in known.aminmax())
            if low < 0 or high >= self.config.vocab_size:
                raise ValueError(
                    f"ids run from {low} to {high}, but vocab_size={self.config.vocab_size} allows 0 to "
                    f"{self.config.vocab_size - 1}: is the tokenizer the one that the model was built for?"
                )


def _tie_entries(model: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Before a state is loaded: let the two entries of a tied head be one tensor, or note that they differ."""
    *_, errors = rest
    names = [f"{prefix}{part}.weight" for part in ("token_embedding", "head")]
    found = [state[name] for name in names if name in state]
    if not (isinstance(model, GPT) and model.has_tied_head and found):
        return
    if found[-1] is not found[0] and not torch.equal(*found):
        errors.append(f"{names[1]} is not {names[0]}, and they are one matrix here; build it with tied_head=False")
    state.update(dict.fromkeys(names, found[0]))


def _tie_again(model: nn.Module, _: Any) -> None:
    """After a state is loaded: with ``assign=True`` the one tensor of a tied head has become two parameters."""
    assert isinstance(model, GPT)
    head, embedding = getattr(model.head, "weight", None), model.token_embedding.weight
    if model.config.tied_head and isinstance(head, Tensor) and head.is_set_to(embedding):
        model.head.weight = embedding
