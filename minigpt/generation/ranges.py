"""What a number may be that a caller gives: one message says what was got, what was expected, and what to take."""

import math
from collections.abc import Collection
from typing import Annotated

from torch import Tensor

from minigpt.settings import Range, fit, meant_share, shown, whole_number

#: Beyond these, float32 has no numbers for the products of a logit.
PENALTIES = (1e-30, 1e30)
TOP_P, MIN_P = Range(0.0, 1.0, "(]"), Range(0.0, 1.0)
LARGEST_BIAS = 1e30  # nats: far above any logit, and a sum with one stays a float32
LengthPenalty = Annotated[
    float, Range(-10.0, 10.0, "[]", "; 0 compares whole log-probabilities, 0.6 to 1 favours longer texts")
]
MOST_TEXTS = 10**6


def real_number(name: str, value: object) -> float:
    """A number of Python, of NumPy, or in a tensor without axes.

    Args:
        name: of the setting, for the message.
        value: what was given.

    Raises:
        ValueError: if it is something else, such as a text or a truth value.
    """
    given = value.item() if isinstance(value, Tensor) and value.ndim == 0 else value
    return float(fit(name, given, float))


def check_temperature(tau: float) -> None:
    """Check a temperature.

    Args:
        tau: must be finite and ≥ 0.

    Raises:
        ValueError: if it is not; the message says what to use instead.
    """
    if not 0 <= real_number("temperature", tau) < math.inf:
        raise ValueError(
            f"temperature={tau} must be finite and at least 0; 0 is greedy, 1 the model's own distribution"
        )


def check_top_k(k: int, vocab_size: int | None = None) -> None:
    """Check the number of tokens that top-k keeps.

    Args:
        k: must be 1 … V.
        vocab_size: V, tokens; ``None`` where it is not known yet.

    Raises:
        ValueError: if it is not; the message says what to use instead.
    """
    if fit("top_k", k, int) < 1:
        raise ValueError(f"top_k={shown(k)} must be at least 1; use top_k=None to keep every token")
    if vocab_size is not None and k > vocab_size:
        raise ValueError(
            f"top_k={shown(k)} is more than the vocabulary of {vocab_size} tokens; "
            f"use top_k={vocab_size} or less, or top_k=None to keep every token"
        )


def check_top_p(rho: float) -> None:
    """Check the mass that top-p keeps.

    Args:
        rho: must be in (0, 1].

    Raises:
        ValueError: if it is not; the message says what to use instead.
    """
    if not TOP_P.holds(mass := real_number("top_p", rho)):
        instead = meant_share(mass, TOP_P) or "; use top_p=None to keep every token"
        raise ValueError(f"top_p={rho} must be above 0 and at most 1{instead}")


def check_min_p(mu: float) -> None:
    """Check the share of the largest probability below which min-p drops a token.

    Args:
        mu: must be in [0, 1].

    Raises:
        ValueError: if it is not; the message says what to use instead.
    """
    if not MIN_P.holds(share := real_number("min_p", mu)):
        instead = meant_share(share, MIN_P) or "; use min_p=None to keep every token"
        raise ValueError(f"min_p={mu} must be at least 0 and at most 1{instead}")


def check_penalty(theta: float) -> None:
    """Check a repetition penalty.

    Args:
        theta: must be finite and above 0, and so that no logit overflows by it.

    Raises:
        ValueError: if it is not; the message says what to use instead.
    """
    least, most = PENALTIES
    if not least <= real_number("repetition_penalty", theta) <= most:
        raise ValueError(
            f"repetition_penalty={theta} must be finite and above 0, from {least:g} to {most:g}; 1 changes nothing, "
            "1.1 to 1.3 are usual"
        )


def check_stop_tokens(stop_tokens: Collection[int]) -> list[int]:
    """The ids that end a row, in order.

    Args:
        stop_tokens: what was given.

    Raises:
        ValueError: if one of them is not a whole number of at least 0.
    """
    return sorted(whole_number("a stop token", token, 0, 2**63 - 1) for token in stop_tokens)


def check_search(name: str, n_texts: int, max_new_tokens: int, length_penalty: float = 0.0) -> None:
    """Check the numbers of a search.

    Args:
        name: of the argument ``n_texts``.
        n_texts: how many texts are kept, or drawn.
        max_new_tokens: the most tokens of each.
        length_penalty: see :func:`~minigpt.generation.beams.beam_score`.

    Raises:
        ValueError: if one is outside its range; the message says what that is.
    """
    whole_number(name, n_texts, 1, MOST_TEXTS)
    whole_number("max_new_tokens", max_new_tokens, 1, 10**9)
    check_length_penalty(length_penalty)


def check_length_penalty(alpha: float) -> None:
    """Check the power of the length by which a text's log-probability is divided.

    Args:
        alpha: must be from -10 to 10; a larger power says that length is all that counts.

    Raises:
        ValueError: if it is not; the message says what to use instead.
    """
    fit("length_penalty", real_number("length_penalty", alpha), LengthPenalty)
