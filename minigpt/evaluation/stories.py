r"""A storyteller against the floor: its loss beside the entropy of the language, and whether its stories make sense.

The loss on the stories of a held-out world has three yardsticks, in nats a story:

* the entropy of that world, the least expected loss that there is;
* the same for a reader who knows the language but not which combinations were held out: as much as can be learnt;
* what the very stories take, $-\log p(d)$ on average, which differs from the entropy by the luck of the draw.

Dimensions: n stories.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from minigpt.generation import Sampler, generate_ids
from minigpt.model import GPT, cross_entropy_from_logits
from minigpt.settings.language import Bilingual
from minigpt.text import Dataset, Tokenizer
from minigpt.text.datasets.windows import IGNORED_TARGET
from minigpt.text.tinyworld import TinyWorld, held_out_nats, task_rows

SAMPLED, TOLD_AT_ONCE = 500, 100  # stories of the model's own; more at once take memory and no less time
TELLING = 0.5  # the temperature at which stories are told to people: sharper than the model's own probabilities
TEMPERATURES = (1.0, TELLING)

_FIGURES = Bilingual(
    """\
nats per story, on {n:,} stories
  the model               {loss:8.2f} ± {error:.2f}
  the stories' own -log p {own:8.2f} ± {own_error:.2f}, the model {more:.2f} ± {more_error:.2f} more
  floor: the entropy      {entropy:8.2f}          so the model is {above:.1%} above it
  floor, held-out unknown {learnable:8.2f}          and {above_learnable:.1%} above this
grammatical and consistent in every detail, of {told:,} stories of the model's own""",
    """\
每个故事的奈特数，共 {n:,} 个故事
  模型                    {loss:8.2f} ± {error:.2f}
  故事本身的 -log p       {own:8.2f} ± {own_error:.2f}，模型多 {more:.2f} ± {more_error:.2f}
  下界：熵                {entropy:8.2f}          模型比它高 {above:.1%}
  下界，留出组合未知      {learnable:8.2f}          模型比它高 {above_learnable:.1%}
模型自己写的 {told:,} 个故事中，合乎语法且处处一致的比例""",
)
_SHARE = Bilingual("\n  {:4.0%} ± {:.1%} drawn at temperature {:g}", "\n  {:4.0%} ± {:.1%}，温度 {:g}")


@dataclass(frozen=True)
class StoryReport:
    """What a model loses on held-out stories, beside what the language itself takes.

    Attributes:
        nats: ``(n,)`` the model's loss on each story.
        own_nats: ``(n,)`` -log p of each story in its world.
        entropy: of the world, in nats a story.
        held_out: what it costs not to know the held-out combinations, in nats a story.
        consistent: for each temperature that they were drawn at, the share of the model's own stories that are stories
            of the language: grammatical, and nobody gives away what they do not have.
        n_judged: how many stories that is a share of.
    """

    nats: np.ndarray
    own_nats: np.ndarray
    entropy: float
    held_out: float
    consistent: Mapping[float, float]
    n_judged: int

    @property
    def loss(self) -> float:
        """The model's mean loss, in nats a story."""
        return float(self.nats.mean())

    @property
    def excess(self) -> tuple[float, float]:
        """How far the loss lies above what the same stories take, in nats a story, and its standard error."""
        return _mean_and_error(self.nats - self.own_nats)

    @property
    def above_floors(self) -> tuple[float, float]:
        """The share by which the model exceeds the entropy, and the floor of a model that can't know what was held out.

        From the difference to what the same stories take, story by story: the luck of the draw cancels.
        """
        excess, _ = self.excess
        return excess / self.entropy, (excess - self.held_out) / (self.entropy + self.held_out)

    def to_object(self) -> dict[str, Any]:
        """The figures by name, as what JSON can hold."""
        excess, error = self.excess
        above, above_learnable = self.above_floors
        return {
            "n_stories": len(self.nats),
            "nats_per_story": self.loss,
            "own_nats_per_story": float(self.own_nats.mean()),
            "excess": excess,
            "excess_error": error,
            "entropy": self.entropy,
            "held_out": self.held_out,
            "above_entropy": above,
            "above_learnable": above_learnable,
            "consistent": {f"{temperature:g}": share for temperature, share in self.consistent.items()},
            "n_judged": self.n_judged,
        }

    def __str__(self) -> str:
        (loss, error), (own, own_error) = _mean_and_error(self.nats), _mean_and_error(self.own_nats)
        (more, more_error), (above, above_learnable) = self.excess, self.above_floors
        learnable = self.entropy + self.held_out
        figures = _FIGURES.spoken().format(
            n=len(self.nats), loss=loss, error=error, own=own, own_error=own_error, more=more, more_error=more_error,
            entropy=self.entropy, above=above, learnable=learnable, above_learnable=above_learnable, told=self.n_judged,
        )  # fmt: skip
        return figures + "".join(
            _SHARE.spoken().format(share, math.sqrt(share * (1 - share) / self.n_judged), t)
            for t, share in self.consistent.items()
        )


def evaluate_stories(model: GPT, world: TinyWorld, tokenizer: Tokenizer, n_stories: int = 1000) -> StoryReport:
    """Measure a storyteller on the first stories of a world, and read some of its own.

    Args:
        model: trained to tell stories, with this tokenizer.
        world: of one language; a held-out split.
        tokenizer: between text and the model's ids.
        n_stories: how many stories are measured.
    """
    rows = task_rows("story", world, tokenizer, model.config.context_length, n_stories)
    stories = [world.story(i) for i in range(n_stories)]
    longest = max(len(rows.row(i).ids) for i in range(n_stories))
    holds = TinyWorld(world.language, "all").holds
    judged: dict[float, list[bool]] = {temperature: [] for temperature in TEMPERATURES}
    parts = [(temperature, first) for temperature in TEMPERATURES for first in range(0, SAMPLED, TOLD_AT_ONCE)]
    for temperature, first in tqdm(parts, desc="stories", disable=None, delay=2, leave=False):
        sampler, n = Sampler(temperature=temperature), min(TOLD_AT_ONCE, SAMPLED - first)
        told = tell_stories(model.eval(), tokenizer, n, max_tokens=longest, sampler=sampler, seed=first)
        judged[temperature] += map(holds, told)
    return StoryReport(
        nats=row_losses(model, rows),
        own_nats=np.array([-world.log_prob(story) for story in stories]),
        entropy=world.floor().nats,
        held_out=held_out_nats(world.split),
        consistent={temperature: sum(each) / len(each) for temperature, each in judged.items()},
        n_judged=len(judged[TELLING]),
    )


def row_losses(model: GPT, rows: Dataset, batch_size: int = 64) -> np.ndarray:
    """``(n,)`` float64: the summed loss of each row of a dataset, in nats."""
    losses = []
    device = next(model.parameters()).device
    with torch.inference_mode():
        for inputs, targets in rows.windows(batch_size):
            counts = targets != IGNORED_TARGET
            nats = cross_entropy_from_logits(model(inputs.to(device)), targets.clamp(min=0).to(device))
            losses.append((nats.double().cpu() * counts).sum(1))
    return torch.cat(losses).numpy()


def tell_stories(
    model: GPT, tokenizer: Tokenizer, n_stories: int, *, max_tokens: int, sampler: Sampler = Sampler(), seed: int = 0
) -> list[str]:
    """Stories drawn from a model, one after a line end each; one that finds no end is cut."""
    (newline,) = tokenizer.encode("\n")
    ids = generate_ids(
        model,
        torch.full((n_stories, 1), newline),
        max_new_tokens=max_tokens,
        generator=torch.Generator().manual_seed(seed),
        sampler=sampler,
        stop_tokens=[newline],
    )
    return [tokenizer.decode(row).partition("\n")[0] for row in ids[:, 1:].tolist()]


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
