r"""How likely a model finds each of several continuations of one prompt.

$$\log p(x_1 \dots x_n) = \sum_{t=1}^{n} \log p(x_t \mid \text{prompt}, x_{<t})$$

The prompt is read once. Its cache is then forked, a row a continuation, so that only the continuations are computed:
with N of them, of n tokens each, after a prompt of T, that is T + N n tokens in place of N (T + n).

Dimensions: N continuations, T tokens of the prompt, n of the longest continuation, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from minigpt.generation.decoder import Decoder, model_device
from minigpt.model import log_softmax
from minigpt.settings import whole_number


def continuation_log_probs(
    decoder: Decoder, prompt: Sequence[int], continuations: Sequence[Sequence[int]], *, batch_size: int = 32
) -> list[Tensor]:
    """The log-probability of each token of each continuation, given the prompt and the tokens before it.

    Args:
        decoder: of the model; it keeps what it has read of the prompt, so that prompts with a common beginning are
            faster one after another. ``Decoder(model, cached=False)`` is the reference.
        prompt: token ids, at least one.
        continuations: token ids, at least one each; their lengths may differ.
        batch_size: continuations at once; each has a copy of the cache.

    Returns:
        For each continuation ``(n,)`` float64 in nats, on the CPU; the sum is the log-probability of all of it.

    Raises:
        ValueError: if the prompt or a continuation is empty, or they are longer than the context of the model, whose
            last token is scored and not read.
    """
    batch_size, limit = whole_number("batch_size", batch_size, 1), decoder.config.context_length
    if not len(prompt) or not all(map(len, continuations)):
        raise ValueError("the prompt or a continuation has no token; the first token is never scored")
    if continuations and (longest := len(prompt) + max(map(len, continuations)) - 1) > limit:
        raise ValueError(f"a prompt with its continuation has {longest + 1} tokens; at most {limit + 1} can be scored")
    found: list[Tensor] = []
    for first in range(0, len(continuations), batch_size):
        found += _some(decoder, list(prompt), [list(each) for each in continuations[first : first + batch_size]])
    return found


def _some(decoder: Decoder, prompt: list[int], continuations: list[list[int]]) -> list[Tensor]:
    device = model_device(decoder.model)
    after_prompt = decoder(torch.tensor([prompt], device=device))
    n_read = max(map(len, continuations)) - 1  # the last token of each is scored, and not read
    logits = after_prompt.expand(len(continuations), -1)[:, None]
    if n_read:
        decoder.keep([0] * len(continuations))
        filled = [each[:-1] + [0] * (n_read + 1 - len(each)) for each in continuations]  # what follows changes nothing
        rows = torch.tensor([prompt + each for each in filled], device=device)
        logits = torch.cat([logits, decoder.after_last(rows, n_read)], dim=1)
        decoder.keep([0])  # the next prompt may begin in the same way
    log_p = log_softmax(logits.double()).cpu()
    return [log_p[i, range(len(each)), each] for i, each in enumerate(continuations)]
