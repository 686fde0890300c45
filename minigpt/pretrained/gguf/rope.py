r"""Changed rotary frequencies in a GGUF file.

"linear" and "yarn" are named in fields. Llama 3's change has no name there: the file holds a tensor with what each
frequency is divided by, $\theta_i / \theta'_i$, and not the numbers that it follows from. They are found again where
they are those of the published models, a ramp from 1 to 4 turns, and 8,192 tokens unless the file says another length.

Source: docs/gguf.md in ggml's repository, of the fields; llama.cpp, of the tensor ``rope_freqs.weight``, and of what
follows where a file says nothing: a factor without a type is "linear", and the factor on queries and keys of "yarn" is
$0.1 \ln(s) + 1$.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minigpt.model import GPTConfig
from minigpt.model.positions.scaling import RopeScaling, llama3_frequencies, yarn_attention_factor
from minigpt.settings import shown

DIVISORS = "rope_freqs.weight"
KIND, FACTOR, FIRST_LENGTH = "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length"
TURN_FIELDS = {"low_turns": "rope.scaling.yarn_beta_slow", "high_turns": "rope.scaling.yarn_beta_fast"}
SCALING_FIELDS = {KIND, FACTOR, FIRST_LENGTH, "rope.scaling.finetuned", *TURN_FIELDS.values()}
OF_LLAMA_3 = RopeScaling(kind="llama3", original_context=8192, low_turns=1.0, high_turns=4.0)


def rope_lacking(config: GPTConfig, *, divides: bool) -> list[str]:
    """What a GGUF file can't say of our rotary frequencies, as a message names it.

    Args:
        config: ours.
        divides: whether the architecture has the tensor of Llama 3's change.
    """
    scaling = config.rope
    if scaling.kind in ("none", "linear"):
        return []
    if scaling.kind == "yarn":
        usual = math.isclose(scaling.attention_factor, yarn_attention_factor(scaling.factor), rel_tol=1e-6)
        return [] if usual else [f"rope_attention_factor={scaling.attention_factor}"]
    if scaling.kind != "llama3" or not divides:
        return [f"rope_scaling={scaling.kind!r}"]
    published = {"rope_low_turns": OF_LLAMA_3.low_turns, "rope_high_turns": OF_LLAMA_3.high_turns}
    given = {"rope_low_turns": scaling.low_turns, "rope_high_turns": scaling.high_turns}
    other = [f"{name}={value}" for name, value in given.items() if value != published[name]]
    slowest = float(rope_divisors(config).max())
    is_found_again = math.isclose(slowest, scaling.factor, rel_tol=1e-6)
    return other or ([] if is_found_again else [f"rope_factor={scaling.factor} where no pair is slowed down by it"])


def rope_divisors(config: GPTConfig) -> Tensor:
    """What each frequency is divided by in Llama 3's change: ``(E/2,)`` float32.

    Args:
        config: ours.
    """
    return _divisors(config.rope, config.rope_base, config.head_width)


def rope_scaling_fields(config: GPTConfig) -> dict[str, Any]:
    """The fields of our rotary frequencies, without the name of the architecture.

    Args:
        config: ours, in which nothing is lacking.
    """
    scaling = config.rope
    if scaling.kind == "none":
        return {}
    if scaling.kind == "llama3":
        return {FIRST_LENGTH: scaling.original_context}
    fields: dict[str, Any] = {KIND: scaling.kind, FACTOR: float(scaling.factor)}
    if scaling.kind == "yarn":
        turns = {theirs: float(getattr(scaling, ours)) for ours, theirs in TURN_FIELDS.items()}
        fields |= {FIRST_LENGTH: scaling.original_context, "rope.scaling.finetuned": True, **turns}
    return fields


def scaling_of_fields(fields: dict[str, Any], divisors: Tensor | None, base: Any) -> dict[str, Any]:
    """Our settings of the rotary frequencies in a file.

    Args:
        fields: of its architecture, with numbers in their shortest form.
        divisors: its tensor ``rope_freqs.weight``, if there is one.
        base: of its frequencies.

    Raises:
        ValueError: if the type is unknown, a number is missing, or the tensor is of no change that is known.
    """
    factor = fields.get(FACTOR, 0)
    kind = fields.get(KIND, "linear" if factor not in (0, 1) else "none")
    if kind not in ("none", "linear", "yarn"):
        raise ValueError(f"{KIND} is {shown(kind)}; expected one of none, linear, yarn")
    if divisors is not None:
        if kind != "none":
            raise ValueError(f"{KIND} is {kind!r} beside the tensor {DIVISORS}, which changes the frequencies, too")
        return _of_divisors(divisors, fields.get(FIRST_LENGTH, OF_LLAMA_3.original_context), base)
    if kind == "none":
        return {}
    if FACTOR not in fields or (kind == "yarn" and FIRST_LENGTH not in fields):
        raise ValueError(f"{KIND} is {kind!r} without {FACTOR if FACTOR not in fields else FIRST_LENGTH}")
    ours: dict[str, Any] = {"rope_scaling": kind, "rope_factor": factor}
    if kind == "yarn":
        ours["rope_original_context"] = fields[FIRST_LENGTH]
        ours |= {f"rope_{name}": fields[theirs] for name, theirs in TURN_FIELDS.items() if theirs in fields}
    return ours


def _of_divisors(divisors: Tensor, length: Any, base: Any) -> dict[str, Any]:
    if type(length) is not int or length < 1:
        raise ValueError(f"{FIRST_LENGTH} is {shown(length)}; expected a whole number of at least 1")
    if not isinstance(base, float) or not 0 < base < math.inf:
        raise ValueError(f"rope.freq_base is {shown(base)}; expected a number greater than 0")
    factor = float(str(np.float32(float(divisors.max())))) if divisors.numel() else 0.0
    scaling = replace(OF_LLAMA_3, factor=factor, original_context=length)
    expected = _divisors(scaling, base, 2 * len(divisors))
    if divisors.shape != expected.shape or not torch.allclose(divisors, expected, rtol=1e-4, atol=0):
        raise ValueError(
            f"its tensor {DIVISORS} scales rotary positions in another way than Llama 3 does with a factor of "
            f"{factor:g} for rows of {length:,} tokens"
        )
    low, high = scaling.low_turns, scaling.high_turns
    settings = {"factor": factor, "original_context": length, "low_turns": low, "high_turns": high}
    return {"rope_scaling": "llama3", **{f"rope_{name}": value for name, value in settings.items()}}


def _divisors(scaling: RopeScaling, base: float, width: int) -> Tensor:
    pairs = torch.arange(width // 2, dtype=torch.float64)
    frequencies = base ** (-2 * pairs / width)
    return (frequencies / llama3_frequencies(frequencies, base, scaling)).float()
