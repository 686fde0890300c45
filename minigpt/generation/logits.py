r"""What changes the logits before they become probabilities, each rule with its equation.

The repetition penalty makes the tokens less likely that the sequence has already, a bias makes chosen tokens more or
less likely, and a mask forbids tokens. All three take logits and return logits.

Dimensions: B batch, T tokens so far, V vocabulary.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.settings import shown

LARGEST_BIAS = 1e30  # nats: far above any logit, and a sum with one stays a float32
_LOGITS = {"z": "(V) logits", "z'": "(V) logits after the rule"}


@equation(
    "repetition-penalty",
    r"z'_i = (1 - s_i) z_i + s_i \left(\frac{\max(z_i, 0)}{\theta} + \theta \min(z_i, 0)\right)",
    symbols=_LOGITS
    | {"s": "(V) 1 where the sequence has the token, otherwise 0", r"\theta": "() penalty; 1 changes nothing"},
    source="Keskar et al. 2019, arXiv:1909.05858, section 4.1",
)
def repetition_penalty(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    r"""Make the tokens less likely that the sequence has already.

    Departure: the paper divides every logit of a seen token, which makes it *more* likely where the logit is negative;
    here a negative logit is multiplied.

    Args:
        logits: ``(..., V)`` floating point; an entry may be ``-inf``, and stays so.
        seen: ``(..., V)`` boolean, True where the sequence has the token.
        penalty: $\theta > 0$; above 1 discourages what was said, below 1 encourages it.

    Returns:
        ``(..., V)`` in the dtype of ``logits``.

    Raises:
        ValueError: if the penalty is not finite and above 0.
    """
    check_penalty(penalty)
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


@equation(
    "logit-bias",
    r"z'_i = z_i + b_i",
    symbols=_LOGITS | {"b": "(V) bias"},
    source="log-odds that are added: Bishop 2006, Pattern Recognition and Machine Learning, section 4.2",
)
def add_bias(logits: Tensor, bias: Tensor) -> Tensor:
    """Make chosen tokens more or less likely; a bias of ``-inf`` forbids a token.

    Args:
        logits: ``(..., V)`` floating point.
        bias: ``(V)``, in nats: each one multiplies the odds of its token by e.

    Returns:
        ``(..., V)`` in the dtype of ``logits``.

    Raises:
        ValueError: if the bias has another shape, or a value that is NaN or ``inf``.
    """
    if bias.shape != logits.shape[-1:]:
        raise ValueError(
            f"bias has shape {tuple(bias.shape)}; expected one number for each logit, {tuple(logits.shape[-1:])}"
        )
    if not (bias < math.inf).all():
        raise ValueError("a bias is NaN or inf; expected finite numbers, or -inf to forbid a token")
    return logits + bias.to(logits)


@equation(
    "allowed-tokens",
    r"p_i = \frac{a_i \exp(z_i)}{\sum_{k=1}^{V} a_k \exp(z_k)}",
    symbols={"z": "(V) logits", "a": "(V) 1 where the token is allowed, otherwise 0", "p": "(V) probabilities"},
    source="conditional probability: Bishop 2006, Pattern Recognition and Machine Learning, section 1.2",
)
def allowed_probabilities(logits: Tensor, allowed: Tensor) -> Tensor:
    """The model's distribution, given that the token is one of those allowed.

    Args:
        logits: ``(..., V)`` floating point.
        allowed: ``(..., V)`` or ``(V,)`` boolean, at least one True in each row.

    Returns:
        ``(..., V)``, at least float32; rows that sum to 1.

    Raises:
        ValueError: if a row allows no token with a finite logit.
    """
    return at_least_float32(mask_tokens(logits, allowed)).softmax(-1)


def mask_tokens(logits: Tensor, allowed: Tensor) -> Tensor:
    """The logits with ``-inf`` at every token that is not allowed, so that its probability is 0.

    Args:
        logits: ``(..., V)`` floating point.
        allowed: ``(..., V)`` or ``(V,)`` boolean, at least one True in each row.

    Returns:
        ``(..., V)`` in the dtype of ``logits``.

    Raises:
        ValueError: if a row allows no token with a finite logit.
    """
    masked = logits.masked_fill(~allowed, -math.inf)
    if bool((masked == -math.inf).all(-1).any()):
        raise ValueError("no token is allowed here; loosen what is banned or what the text must match")
    return masked


def at_least_float32(logits: Tensor) -> Tensor:
    """Logits of 16 bits as float32, others as they are: in 16 bits, a bias of 0.01 would be rounded away."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def bias_of(biases: Mapping[int, float], vocab_size: int) -> Tensor:
    """``(V,)`` float32: the bias of each token, 0 where none is given.

    Args:
        biases: from token ids to nats; ``-inf`` forbids the token.
        vocab_size: V, tokens.

    Raises:
        ValueError: if an id is not one of the vocabulary, a bias is not a number of up to ``LARGEST_BIAS`` or ``-inf``,
            or all are forbidden.
    """
    bias = torch.zeros(vocab_size)
    for token, value in biases.items():
        if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < vocab_size:
            raise ValueError(f"logit_bias has the token {shown(token)}; expected ids, 0 … {vocab_size - 1}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not (abs(value) <= LARGEST_BIAS or value == -math.inf):
            raise ValueError(
                f"logit_bias[{token}] is {shown(value)}; expected a number of nats, at most {LARGEST_BIAS:.0e} in "
                "size, or -inf to forbid the token"
            )
        bias[token] = value
    if bool((bias == -math.inf).all()):
        raise ValueError("logit_bias forbids every token; leave at least one")
    return bias


def seen_tokens(ids: Tensor, vocab_size: int) -> Tensor:
    """``(B, V)`` boolean: which tokens each row has.

    Args:
        ids: ``(B, T)`` int64.
        vocab_size: V, tokens.
    """
    return torch.zeros(len(ids), vocab_size, dtype=torch.bool, device=ids.device).scatter(1, ids, True)


def check_penalty(theta: float) -> None:
    """Check a repetition penalty.

    Args:
        theta: must be finite and above 0.

    Raises:
        ValueError: if it is not; the message says what to use instead.
    """
    if not 0 < theta < math.inf:
        raise ValueError(
            f"repetition_penalty={theta} must be finite and above 0; 1 changes nothing, 1.1 to 1.3 are usual"
        )
