"""Pairs of prompts that differ in one attribute, and the templates that make them.

A template has slots; a swap fills each with the word for A or with that for B. Nothing else differs, so whatever the
model does differently after the two prompts is due to the words of the slots. The templates of each language are a file
of ours, with what they do not cover at its head:

- ``prompt``: what comes before, with at least one slot, such as ``{name}``;
- ``continuation``: what is scored after it, the same for A and B; in English it begins with its blank.
"""

import string
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from minigpt.files.json_object import parse_object, read_object
from minigpt.files.paths import as_path
from minigpt.settings.language import Bilingual, folded

PAIRS_LIMIT = 2**20  # bytes of a file of pairs
PAIR_LANGUAGES = ("en", "zh")
_TITLE = Bilingual("{n} pairs from {templates} templates ({lang})", "{templates} 个模板生成的 {n} 对句子（{lang}）")
_MEANING = Bilingual("{name}: A is {a}, B is {b}", "{name}：A 是 {a}，B 是 {b}")
_GROUP = Bilingual("  {group}: {n} templates", "  {group}：{n} 个模板")
_LIMITS = Bilingual("limits", "局限")


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
        lines = [_TITLE.spoken().format(n=len(self.pairs), templates=counts.total(), lang=self.language)]
        lines += [_MEANING.spoken().format(name=name, a=a, b=b) for name, (a, b) in self.meanings.items()]
        lines += [_GROUP.spoken().format(group=group, n=n) for group, n in counts.items()]
        lines = [folded(line, 4) for line in lines]
        return "\n".join([*lines, _LIMITS.spoken(), *(folded(f"  - {limit}", 4) for limit in self.limits)])


def load_pairs(language: str = "en") -> PairSet:
    """The pairs that come with the library: gender and age, at work and at home.

    Args:
        language: "en" or "zh".

    Raises:
        ValueError: if there are none in this language.
    """
    if language not in PAIR_LANGUAGES:
        raise ValueError(f"there are no pairs in {language!r}; choose {' or '.join(PAIR_LANGUAGES)}")
    data = files("minigpt.evaluation.fairness").joinpath(f"data/{language}.json").read_bytes()
    return _parsed(parse_object(data, language), language)


def read_pairs(path: Path | str) -> PairSet:
    """The pairs of a file of your own, in the format of those that come with the library.

    Args:
        path: of the JSON file, of at most 1 MiB.

    Raises:
        ValueError: if it can't be read or is not such a file; the message says what is missing and where.
    """
    return _parsed(read_object(as_path(path, "path"), limit=PAIRS_LIMIT), str(path))


def _parsed(given: Mapping[str, Any], name: str) -> PairSet:
    pairs, where = list[Counterfactual](), name
    try:
        for i, template in enumerate(given["templates"], 1):
            where = f"{name}, template {i},"
            pairs += _filled(template, given["attributes"], where)
        where = name
        meanings = {attribute: (each["a"], each["b"]) for attribute, each in given["attributes"].items()}
        found = PairSet(given["language"], tuple(dict.fromkeys(pairs)), meanings, tuple(given["limits"]))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{where} has {type(error).__name__} {error}; expected language, limits, attributes (a, b and swaps) and "
            "templates (attribute, group, prompt and continuation), as in minigpt/evaluation/fairness/data/en.json"
        ) from None
    if not found.pairs:
        raise ValueError(f"{name} has no templates; give at least one")
    return found


def _filled(template: Mapping[str, str], attributes: Mapping[str, Any], where: str) -> Iterator[Counterfactual]:
    attribute, prompt, continuation = template["attribute"], template["prompt"], template["continuation"]
    slots = _slots(prompt, where)
    for swap in attributes[attribute]["swaps"]:
        if lacking := slots - set(swap):
            raise ValueError(f"{where} has the slot {min(lacking)!r}, for which a swap of {attribute!r} has no words")
        a, b = (prompt.format(**{slot: words[side] for slot, words in swap.items()}) for side in (0, 1))
        item = f"{prompt}{continuation}"
        yield Counterfactual(item, f"{attribute}: {template['group']}", a, b, continuation)


def _slots(prompt: str, where: str) -> set[str]:
    """The names of the slots; Python's other forms, such as ``{name:9}``, would allow a text of any length."""
    try:
        found = [(slot, rest) for _, slot, *rest in string.Formatter().parse(prompt) if slot is not None]
    except ValueError as error:
        raise ValueError(f"{where} has the prompt {prompt!r:.80}: {error}; write a slot as {{name}}") from None
    if not found:
        raise ValueError(
            f"{where} has no slot in its prompt {prompt!r:.80}, so A and B are equal; add one, such as {{name}}"
        )
    if not all(slot.isidentifier() and not any(rest) for slot, rest in found):
        raise ValueError(f"{where} has a slot that is not a plain word in its prompt {prompt!r:.80}; write {{name}}")
    return {slot for slot, _ in found}
