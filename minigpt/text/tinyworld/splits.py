r"""Which combinations belong to which world: train, validation and test share none.

A combination is what a story opens with: a person, and the colour and the kind of the thing that this person has. A
hash of the three words puts each of the 4,000 combinations into one of four buckets. Training stories open with
combinations of two of them, validation and test stories with those of one each. The single words occur everywhere, so
a model that has learnt what each word means, and not only what it has seen, is at no loss.

At almost no loss: it cannot know which combinations are held out, so it spreads its probability over all of them and
pays, once a story, $\ln(4000 / n)$ nats over the entropy of a world of $n$ combinations. ``"all"`` names the world
without a split.
"""

import hashlib
import math
from functools import cache

from minigpt.text.tinyworld import words

Combination = tuple[int, int, int]  # a person, a colour and a thing: rows of the tables of words

BUCKETS = {"train": (0, 1), "validation": (2,), "test": (3,), "all": (0, 1, 2, 3)}


@cache
def combinations(split: str) -> tuple[Combination, ...]:
    """The combinations that stories of a split may open with, each equally likely.

    Args:
        split: "train", "validation", "test" or "all".

    Raises:
        ValueError: if there is no such split.
    """
    if split not in BUCKETS:
        raise ValueError(f"there is no split {split!r}; choose {', '.join(BUCKETS)}")
    return tuple(
        (p, c, t)
        for p in range(len(words.PEOPLE))
        for c in range(len(words.COLOURS))
        for t in range(len(words.THINGS))
        if _bucket(p, c, t) in BUCKETS[split]
    )


def held_out_nats(split: str) -> float:
    """What a model that does not know the split pays for each story: the logarithm of all combinations over its own.

    Args:
        split: the one that the stories are from.
    """
    return math.log(len(combinations("all")) / len(combinations(split)))


def _bucket(person: int, colour: int, thing: int) -> int:
    label = f"{words.PEOPLE[person].en} has a {words.COLOURS[colour].en} {words.THINGS[thing].en}"
    return hashlib.sha256(label.encode()).digest()[0] % 4
