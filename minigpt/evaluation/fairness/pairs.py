"""Pairs of prompts that differ in one attribute, and the templates that make them.

A template has slots; a swap fills each with the word for A or with that for B. Nothing else differs, so whatever the
model does differently after the two prompts is due to the words of the slots. The templates of each language are a file
of ours, with what they do not cover at its head:

- ``prompt``: what comes before, with at least one slot, such as ``{name}``;
- ``continuation``: what is scored after it, the same for A and B; in English it begins with its blank.
"""

import json
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

PAIR_LANGUAGES = ("en", "zh")


class Counterfactual(NamedTuple):
    """Two prompts and what is scored after each.

    Attributes:
        item: what the pair is an instance of, such as a template: the unit that is resampled.
        group: of items whose mean gap is one figure of the report.
        prompt_a: with the words for A.
        prompt_b: the same with the words for B.
        continuation: what is scored, equal for both.
    """

    item: str
    group: str
    prompt_a: str
    prompt_b: str
    continuation: str


@dataclass(frozen=True)
class PairSet:
    """The pairs of one file, and what they can't tell.

    Attributes:
        language: of the sentences.
        pairs: each template with each of its swaps; those that would be the same only once.
        meanings: for each attribute, what A and B stand for.
        limits: what the pairs do not cover, a sentence each.
    """

    language: str
    pairs: tuple[Counterfactual, ...]
    meanings: Mapping[str, tuple[str, str]]
    limits: tuple[str, ...]

    def __iter__(self) -> Iterator[Counterfactual]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __str__(self) -> str:
        counts = Counter(group for _, group in dict.fromkeys((pair.item, pair.group) for pair in self.pairs))
        lines = [f"{len(self.pairs)} pairs from {counts.total()} templates ({self.language})"]
        lines += [f"{attribute}: A is {a}, B is {b}" for attribute, (a, b) in self.meanings.items()]
        lines += [f"  {group}: {n} templates" for group, n in counts.items()]
        return "\n".join([*lines, "limits", *(f"  - {limit}" for limit in self.limits)])


def load_pairs(language: str = "en") -> PairSet:
    """The pairs that come with the library: gender and age, at work and at home.

    Args:
        language: "en" or "zh".

    Raises:
        ValueError: if there are none in this language.
    """
    if language not in PAIR_LANGUAGES:
        raise ValueError(f"there are no pairs in {language!r}; choose {' or '.join(PAIR_LANGUAGES)}")
    return _parsed(files("minigpt.evaluation.fairness").joinpath(f"data/{language}.json").read_text("utf-8"), language)


def read_pairs(path: Path | str) -> PairSet:
    """The pairs of a file of your own, in the format of those that come with the library.

    Args:
        path: of the JSON file.

    Raises:
        ValueError: if it is not such a file; the message says what is missing and where.
        OSError: if it can't be read.
    """
    return _parsed(Path(path).read_text("utf-8"), str(path))


def _parsed(text: str, name: str) -> PairSet:
    try:
        given = json.loads(text)
        pairs = [pair for template in given["templates"] for pair in _filled(template, given["attributes"], name)]
        meanings = {attribute: (each["a"], each["b"]) for attribute, each in given["attributes"].items()}
        found = PairSet(given["language"], tuple(dict.fromkeys(pairs)), meanings, tuple(given["limits"]))
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{name} has {type(error).__name__} {error}; expected language, limits, attributes (a, b and swaps) and "
            "templates (attribute, group, prompt and continuation), as in minigpt/evaluation/fairness/data/en.json"
        ) from None
    if not found.pairs:
        raise ValueError(f"{name} has no templates; give at least one")
    return found


def _filled(template: Mapping[str, str], attributes: Mapping[str, Any], name: str) -> Iterator[Counterfactual]:
    attribute, prompt, continuation = template["attribute"], template["prompt"], template["continuation"]
    if not any(slot for _, slot, _, _ in string.Formatter().parse(prompt)):
        raise ValueError(f"{name}: the prompt {prompt!r} has no slot, so A and B are equal; add one, such as {{name}}")
    for swap in attributes[attribute]["swaps"]:
        a, b = (prompt.format(**{slot: words[side] for slot, words in swap.items()}) for side in (0, 1))
        item = f"{prompt}{continuation}"
        yield Counterfactual(item, f"{attribute}: {template['group']}", a, b, continuation)
