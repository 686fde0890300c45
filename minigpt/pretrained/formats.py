"""What a format of Hugging Face is: how its settings and tensors become those of a GPT, and the other way.

A format knows the names; :mod:`minigpt.pretrained.folder` reads and :mod:`minigpt.pretrained.writing` writes for all of
them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from minigpt.model import GPT, GPTConfig

TRAIN_ANEW = "no format can hold it: train one with --recipe gpt2, all parts of which can be written"


@dataclass(frozen=True)
class Stored:
    """Where the numbers of one parameter of ours are in a file.

    Attributes:
        names: of the tensors that, one below the other, are the parameter.
        rows: of each of them; ``None`` where there is one.
        transposed: whether the file holds the transpose.
    """

    names: tuple[str, ...]
    rows: tuple[int, ...] | None = None
    transposed: bool = False

    def parts(self, parameter: Tensor) -> dict[str, Tensor]:
        """The tensors of the file, as views of the parameter."""
        whole = parameter.t() if self.transposed else parameter
        pieces = (whole,) if self.rows is None else whole.split(self.rows)
        return dict(zip(self.names, pieces, strict=True))


def _nothing(model: GPT, fields: dict[str, Any]) -> None:
    """No weight is changed after it is read."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        title: its name in messages.
        gpt_config: of the fields of a ``config.json``, the rate of dropout or ``None``, and the way to compute
            attention: our configuration.
        lacking: the parts of our configuration that the format has no place for, as a message names them.
        fields: the ``config.json`` of our configuration.
        places: for each of our parameters, where it is.
        head: name of the tensor of the head.
        full_name: a tensor's name in ``places``, by its name in a file.
        is_ignored: whether a tensor is no weight.
        prepare: what is done to the weights after they were read.
    """

    title: str
    gpt_config: Callable[[dict[str, Any], float | None, str], GPTConfig]
    lacking: Callable[[GPTConfig], list[str]]
    fields: Callable[[GPTConfig], dict[str, Any]]
    places: Callable[[GPTConfig], dict[str, Stored]]
    head: str = "lm_head.weight"
    full_name: Callable[[str], str] = str
    is_ignored: Callable[[str], bool] = lambda name: False
    prepare: Callable[[GPT, dict[str, Any]], None] = _nothing
