r"""How sure a model is of the answers that it writes.

The confidence of an answer is the probability that the model gives to its own greedy answer, line end included:

$$c = \prod_{t=1}^{n} \max_i\; p(i \mid x_{<t})$$

where the $x_{<t}$ are what was given and what it has written itself. An answer that is right is read in one pass, since
the greedy tokens are then those of the text; one that is wrong is written token by token.

Dimensions: n tokens of an answer.
Departure: the papers on calibration classify; an answer of several tokens counts as one here.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from minigpt.evaluation.calibration import BINS, Calibration
from minigpt.generation.decoder import Decoder, model_device
from minigpt.model import GPT, log_softmax
from minigpt.model.hooks import evaluation_mode
from minigpt.text import Tokenizer
from minigpt.text.tinyworld import Part, TinyWorld, encode_parts, task_of

AT_ONCE = 32  # examples through the model
LONGER = 8  # tokens that a wrong answer may have more than the right one


def evaluate_calibration(
    model: GPT,
    task: str,
    world: TinyWorld,
    tokenizer: Tokenizer,
    n_examples: int = 500,
    *,
    n_bins: int = BINS,
    progress: bool | None = None,
) -> Calibration:
    """Ask a model for answers of the tiny world, and compare how sure it is with how often it is right.

    Args:
        model: trained on the task, with this tokenizer; its mode is put back after.
        task: "translate", "qa" or "dialogue", whose answers are either right or wrong.
        world: where the examples come from; one that the model was not trained on.
        tokenizer: between text and the model's ids.
        n_examples: how many; one may ask for several answers.
        n_bins: K.
        progress: show a bar; ``None``: one that appears after two seconds.

    Raises:
        ValueError: if there is no such task, or an example is longer than the model's context.
    """
    example = task_of(task).example
    asked = [example(world, i) for i in range(n_examples)]
    found: list[tuple[float, bool]] = []
    decoder = Decoder(model)  # the answers of one example have a common beginning
    bar = tqdm(total=n_examples, desc="examples", disable=progress is False, delay=0 if progress else 2, leave=False)
    with bar, evaluation_mode(model), torch.inference_mode():
        for first in range(0, n_examples, AT_ONCE):
            some = asked[first : first + AT_ONCE]
            found += _answers(decoder, some, tokenizer)
            bar.update(len(some))
    confidence, right = zip(*found, strict=True) if found else ((), ())
    return Calibration(np.array(confidence), np.array(right), n_bins)


def _answers(
    decoder: Decoder, examples: Sequence[Sequence[Part]], tokenizer: Tokenizer
) -> Iterator[tuple[float, bool]]:
    """How likely the answer is that the model writes, and whether it is right, for each answer asked for."""
    encoded = [encode_parts(parts, tokenizer) for parts in examples]
    longest, T = max(len(ids) for ids, _ in encoded), decoder.config.context_length
    if longest > T + 1:
        raise ValueError(f"an example has {longest} tokens, more than context_length={T} and one; use a longer context")
    log_p = _log_probs(decoder.model, [ids[:-1] for ids, _ in encoded])
    for row, (ids, answers) in zip(log_p, encoded, strict=True):
        for _, start, stop in answers:
            best = row[start - 1 : stop - 1].max(-1)
            right = best.indices.tolist() == ids[start:stop]
            sure = best.values.sum() if right else _written(decoder, ids[:start], stop - start + LONGER, tokenizer)
            yield float(sure.clamp(max=0).exp()), right


def _written(decoder: Decoder, ids: list[int], most: int, tokenizer: Tokenizer) -> Tensor:
    """The log-probability of the greedy continuation, up to a line end, the end of the context or ``most`` tokens."""
    total, written = torch.zeros((), dtype=torch.float64), list[int]()
    while len(written) < most and len(ids) + len(written) <= decoder.config.context_length:
        logits = decoder(torch.tensor([ids + written], device=model_device(decoder.model)))
        best = log_softmax(logits.double()).cpu()[0].max(-1)
        total += best.values
        written.append(int(best.indices))
        if "\n" in tokenizer.decode(written):
            break
    return total


def _log_probs(model: GPT, rows: Sequence[list[int]]) -> Tensor:
    """``(B, T, V)`` float64 of the next token at each position; rows are filled up at the right."""
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=next(model.parameters()).device)
    return log_softmax(model(ids).double()).cpu()
