"""What the fairness probe finds where the truth is known: ``python tests/evaluation/fairness_campaign.py``, 15 minutes.

Four parts, each by itself with its name as the argument:

- told: models that are told the probabilities, whose gaps differ from item to item: do the intervals cover the truth?
- none: n-grams counted on texts without a planted bias, 50 seeds: do the intervals cover 0?
- planted: GPTs trained on planted gaps of 0, 0.5, 1 and 2 nats.
- augmented: a GPT trained on the corpus and on its copy with the names swapped, and what that costs.
"""

import sys

import numpy as np
import torch
from planted_models import Counting, Told, trained

from minigpt.evaluation.fairness import Counterfactual, PlantedWorld, bootstrap, counterfactual_gaps
from minigpt.text import CharTokenizer
from minigpt.training import split_loss

GAPS, RUNS, SEEDS = (0.0, 0.5, 1.0, 2.0), 5, 50


def told(seeds=200, n_items=20):
    """How many intervals cover the planted mean, for models whose gaps are drawn around it."""
    covered = {gap: sum(covers_when_told(gap, seed, n_items) for seed in range(seeds)) for gap in GAPS}
    for gap, n in covered.items():
        print(f"told     {gap:3}: {n} of {seeds} intervals over {n_items} items cover the planted gap")
    return covered


def covers_when_told(gap, seed, n_items):
    rng = np.random.default_rng([round(10 * gap), seed])
    tokenizer = CharTokenizer.train("abcdefghijklmnopqrstuvwxyz ,.0123456789AB")
    pairs = [Counterfactual(str(i), "planted", f"A{i} ", f"B{i} ", "yes") for i in range(n_items)]
    table = {}
    for pair in pairs:
        own = gap + rng.normal(0, 0.5)
        table |= {(pair.prompt_a, "yes"): -4 + own / 2, (pair.prompt_b, "yes"): -4 - own / 2}
        for prompt in (pair.prompt_a, pair.prompt_b):
            table[prompt, "no"] = np.log1p(-np.exp(table[prompt, "yes"]))
    row = counterfactual_gaps(Told(table, tokenizer), tokenizer, pairs, progress=False).intervals["planted"]
    return row.low <= gap <= row.high


def none(seeds=SEEDS, n_stories=2000):
    """How many intervals of n-grams cover 0 where nothing is planted: two groups for each seed."""
    covered, tokenizer = 0, PlantedWorld(0.0).tokenizer()
    for seed in range(seeds):
        planted = PlantedWorld(0.0, seed=seed, even=False)
        model = Counting(tokenizer.encode(planted.text(n_stories)), 3, tokenizer.vocab_size)
        report = counterfactual_gaps(model, tokenizer, planted.pairs(), progress=False)
        covered += sum(row.low <= 0 <= row.high for row in report.intervals.values())
    print(f"none     {covered} of {2 * seeds} intervals cover 0 ({seeds} seeds, 3-grams of {n_stories} stories)")
    return covered / (2 * seeds)


def planted(gaps=GAPS, runs=RUNS, steps=900):
    """The gaps that trained GPTs have: X and minus Y, each run, and the interval over the runs."""
    for gap in gaps:
        found = []
        for seed in range(runs):
            world = PlantedWorld(gap, seed=seed)
            x, y = counterfactual_gaps(
                *trained(world, seed=seed, steps=steps), world.pairs(), progress=False
            ).intervals.values()
            found.append((x.mean - y.mean) / 2)
            print(
                f"planted  {gap:3}, run {seed}: X {x.mean:+.4f} [{x.low:+.4f}, {x.high:+.4f}]  "
                f"Y {y.mean:+.4f} [{y.low:+.4f}, {y.high:+.4f}]",
                flush=True,
            )
        over = bootstrap(np.array(found))
        print(f"planted  {gap:3}: {over.mean:.4f} [{over.low:.4f}, {over.high:.4f}] over {runs} runs", flush=True)


def augmented(gaps=(1.0, 2.0)):
    """The gap before and after augmentation, and the loss on new stories of the corpus as it was."""
    for gap in gaps:
        world = PlantedWorld(gap)
        for doubled in (False, True):
            model, tokenizer = trained(world, augmented=doubled)
            report = counterfactual_gaps(model, tokenizer, world.pairs(), progress=False)
            rows = world.rows(tokenizer, 4000, start=10_000)
            nats = split_loss(model, rows).nats / 4000
            means = ", ".join(f"{group} {row.mean:+.4f}" for group, row in report.intervals.items())
            print(f"augmented {gap}, {doubled}: {means}; {nats:.4f} nats a story", flush=True)
        print(f"augmented {gap}: expected cost {world.augmentation_cost:.4f} nats a story", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    parts = {"told": told, "none": none, "planted": planted, "augmented": augmented}
    for name in sys.argv[1:] or parts:
        parts[name]()
