"""The tracks of the speedrun: for each target loss, the model and the training that reach it.

A schedule ends with the run that it belongs to, so each target has a run of its own: a long run is worse at every
step before its last than a run that ends there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minigpt.runs import RunConfig


@dataclass(frozen=True, kw_only=True)
class Track:
    """A target, and the run that is to reach it: the recipe "fast" with these sizes and settings.

    Attributes:
        name: of the track.
        target: loss to reach, in nats per character over the whole validation split.
        steps: S, number of updates.
        batch_size: sequences of an update.
        context_length: T, characters of a sequence.
        n_layers: L, number of blocks.
        d_model: D, width of the residual stream.
        n_heads: H, number of heads.
        learning_rate: the highest one.
        settings: further fields of :class:`minigpt.RunConfig`.
    """

    name: str
    target: float
    steps: int
    batch_size: int
    context_length: int
    n_layers: int
    d_model: int
    n_heads: int
    learning_rate: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_tokens(self) -> int:
        """How many characters the run reads."""
        return self.steps * self.batch_size * self.context_length

    def config(self, **source: Any) -> RunConfig:
        """The run as ``minigpt train`` would do it, on the CPU.

        Args:
            source: where the text comes from, the seed, and how often the model is evaluated.
        """
        sizes = ("steps", "batch_size", "context_length", "n_layers", "d_model", "n_heads", "learning_rate")
        fields = {name: getattr(self, name) for name in sizes}
        return RunConfig.of(recipe="fast", **{"device": "cpu", **fields, **self.settings, **source})


_MUON: dict[str, Any] = {"momentum": 0.9}  # a run of some hundred steps has little to average over
_SMALL: dict[str, Any] = {"n_layers": 2, "d_model": 128, "n_heads": 4, "context_length": 64, "batch_size": 32}
_LARGE: dict[str, Any] = {"n_layers": 4, "d_model": 192, "n_heads": 3, "context_length": 256, "batch_size": 12}
_DEEP: dict[str, Any] = {**_LARGE, "n_layers": 6, "batch_size": 8}

#: The tracks by name, the shortest first: from the loss of nanoGPT's small command to below that of its large one.
TRACKS: dict[str, Track] = {
    track.name: track
    for track in (
        Track(name="1.88", target=1.88, steps=120, learning_rate=0.0136, **_SMALL, settings=_MUON),
        Track(name="1.60", target=1.60, steps=280, learning_rate=0.0085, **_LARGE, settings=_MUON),
        Track(name="1.4697", target=1.4697, steps=800, learning_rate=0.0085, **_LARGE, settings=_MUON),
        Track(name="1.44", target=1.44, steps=2000, learning_rate=0.0075, **_DEEP, settings={"weight_decay": 0.2}),
    )
}
