"""Whether a run is the one that was started: its description then and now, or in each process, compared by field."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minigpt.files.sampled import sampled_entry
from minigpt.model import GPTConfig
from minigpt.settings import Mark, marked, to_object
from minigpt.text import Dataset, Tokenizer
from minigpt.training.config import TrainConfig


def check_same_run(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to continue a run under another description.

    Args:
        saved: nested descriptions by name, of the run as it was started.
        wanted: the same of the run as it is now.

    Raises:
        ValueError: naming every field that differs, with both values.
    """
    free = FREE_ON_RESUME - DRAWS_DROPOUT if _has_dropout(saved) else FREE_ON_RESUME
    changes = list(_differences(saved, wanted, free))
    if changes:
        raise ValueError(
            f"this is not the run that was started: {'; '.join(changes)}. Resume with the saved values, or start anew "
            "with another output folder"
        )


def tell_other_threads(saved: object, now: int) -> None:
    """Warn that a run continues with another number of threads, which gives sums of other bits.

    Args:
        saved: the number that the checkpoint has; anything but a number says nothing.
        now: that of this process.
    """
    if isinstance(saved, int) and not isinstance(saved, bool) and saved != now:
        warnings.warn(
            f"the run continues with {now} thread(s), and was saved with {saved}: sums are taken in another order, so "
            f"the weights agree to rounding and not bit for bit. OMP_NUM_THREADS={saved} gives the same bits",
            stacklevel=3,
        )


def _differences(saved: Mapping[str, Any], wanted: Mapping[str, Any], free: frozenset[str]) -> Iterator[str]:
    for name in {**saved, **wanted}:
        before, now = _value(saved, name), _value(wanted, name)
        if before == now or name in free:
            continue
        if name == "tokenizer" and not (isinstance(before, str) and isinstance(now, str)):
            yield "the tokenizer is another one"
        elif name == "fingerprint":
            yield f"the training data, or how it is cut, has changed (its fingerprint was {before}, now {now})"
        elif isinstance(before, Mapping) and isinstance(now, Mapping):
            files = (f"{file} has changed since" for file in {**before, **now} if before.get(file) != now.get(file))
            yield from files if name == "shards" else _differences(before, now, free)
        else:
            yield f"{name} was {_shown(before)}, now {_shown(now)}"


def what_decides(
    shape: Mapping[str, Any],
    config: TrainConfig,
    data: Dataset,
    validation: Dataset | None,
    tokenizer: Tokenizer | None,
) -> dict[str, object]:
    """All that several processes must have been given alike, by name, as what JSON can hold."""
    return {
        **shape,
        **to_object(config),
        "the training data": data.fingerprint,
        "its shards on disk": shards_of(data),
        "the validation data": None if validation is None else validation.fingerprint,
        "the tokenizer": None if tokenizer is None else tokenizer.to_json(),
    }


def shards_of(data: Dataset) -> dict[str, Any]:
    """The shards on disk that data is read from: their sizes, and the hashes of some of their blocks.

    The fingerprint of such data is that of the hashes in the headers, which do not change when a shard does.
    """
    tokens = [shard.tokens for shard in getattr(data, "shards", ())]
    files = [Path(each.filename) for each in tokens if getattr(each, "filename", None) is not None]
    return {f"{file.parent.name}/{file.name}": sampled_entry(file) for file in files}


def _shown(value: Any) -> str:
    return "not set" if value is None else repr(value)


def _value(description: Mapping[str, Any], name: str) -> Any:
    """A field; without a micro-batch size, it is the batch size."""
    value = description.get(name)
    return description.get("batch_size") if value is None and name == "micro_batch_size" else value


def _has_dropout(description: Mapping[str, Any]) -> bool:
    """Whether a part of the description has a dropout other than 0."""
    return any(
        _has_dropout(value) if isinstance(value, Mapping) else name == "dropout" and bool(value)
        for name, value in description.items()
    )


#: What may differ when a run is resumed: it changes what is watched and kept, or how a number is computed.
FREE_ON_RESUME = frozenset().union(*(marked(part, *Mark) for part in (TrainConfig, GPTConfig)))

#: Of these, what decides which activations dropout sets to 0: each micro-batch and each compiled block draws its own.
DRAWS_DROPOUT = frozenset({"micro_batch_size", "compile"})
