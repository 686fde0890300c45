"""Whether a run that is resumed is the one that was started: its description then and now, compared field by field."""

from collections.abc import Iterator, Mapping
from typing import Any

from minigpt.model import GPTConfig
from minigpt.settings import Mark, marked
from minigpt.training.config import TrainConfig


def check_same_run(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to continue a run under another description.

    Args:
        saved: nested descriptions by name, of the run as it was started.
        wanted: the same of the run as it is now.

    Raises:
        ValueError: naming every field that differs, with both values.
    """
    changes = list(_differences(saved, wanted))
    if changes:
        raise ValueError(
            f"the run that was started is another one: {'; '.join(changes)}. Resume with the saved values, or start "
            "anew with another output folder"
        )


def _differences(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for name in {**saved, **wanted}:
        before, now = saved.get(name), wanted.get(name)
        if before == now or name in FREE_ON_RESUME:
            continue
        if name == "tokenizer" and not (isinstance(before, str) and isinstance(now, str)):
            yield "the tokenizer is another one"
        elif name == "fingerprint":
            yield f"the training data has changed since (its fingerprint was {before}, now {now})"
        elif isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _differences(before, now)
        else:
            yield f"{name} was {_shown(before)}, now {_shown(now)}"


def _shown(value: Any) -> str:
    return "not set" if value is None else repr(value)


#: What may differ when a run is resumed: it changes what is watched and kept, or how a number is computed.
FREE_ON_RESUME = frozenset().union(*(marked(part, *Mark) for part in (TrainConfig, GPTConfig)))
