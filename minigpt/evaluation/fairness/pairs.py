"""Pairs of prompts that differ in one attribute, and the templates that make them.

A template has slots; a swap fills each with the word for A or with that for B. Nothing else differs, so whatever the
model does differently after the two prompts is due to the words of the slots. The templates of each language are a file
of ours, with what they do not cover at its head:

- ``prompt``: what comes before, with at least one slot, such as ``{name}``;
- ``continuation``: what is scored after it, the same for A and B; in English it begins with its blank.
"""

import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from minigpt.files.json_object import parse_object, read_object
from minigpt.files.paths import as_path
from minigpt.settings import check_choice, counted, shown
from minigpt.settings.language import Bilingual, folded

PAIRS_LIMIT = 2**20  # bytes of a file of pairs
PAIR_LANGUAGES = ("en", "zh")
TEMPLATE_FIELDS = ("attribute", "group", "prompt", "continuation")
A_SWAP = 'words for each slot, such as {"name": ["Mary", "John"]}'
SEE = "; minigpt/evaluation/fairness/data/en.json shows the format"
_TITLE = Bilingual("{pairs} from {made_of} ({lang})", "{templates} 个模板生成的 {n} 对句子（{lang}）")
_MEANING = Bilingual("{name}: A is {a}, B is {b}", "{name}：A 是 {a}，B 是 {b}")
_GROUP = Bilingual("  {group}: {templates}", "  {group}：{n} 个模板")
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
        n, n_templates = len(self.pairs), counts.total()
        words = {"pairs": counted(n, "pair"), "made_of": counted(n_templates, "template")}
        lines = [_TITLE.spoken().format(n=n, templates=n_templates, lang=self.language, **words)]
        lines += [_MEANING.spoken().format(name=name, a=a, b=b) for name, (a, b) in self.meanings.items()]
        lines += [
            _GROUP.spoken().format(group=group, n=n, templates=counted(n, "template")) for group, n in counts.items()
        ]
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
    language = _text(given.get("language"), f"{name}: language")
    limits = [_text(each, place) for each, place in _each(given.get("limits"), f"{name}: limits", "texts")]
    attributes = {
        attribute: _attribute(each, f"{name}: attribute {shown(attribute)}")
        for attribute, each in _object(given.get("attributes"), f"{name}: attributes", "a, b and swaps").items()
    }
    pairs = list[Counterfactual]()
    for i, (template, place) in enumerate(_each(given.get("templates"), f"{name}: templates", "objects"), 1):
        fields = _object(template, place, "attribute, group, prompt and continuation")
        texts = {field: _text(fields.get(field), f"{place}, {field}") for field in TEMPLATE_FIELDS}
        check_choice(f"{place}, attribute", texts["attribute"], attributes)
        pairs += _filled(texts, attributes[texts["attribute"]]["swaps"], f"{name}, template {i},")
    if not pairs:
        raise ValueError(f"{name} has no templates; give at least one")
    meanings = {attribute: (each["a"], each["b"]) for attribute, each in attributes.items()}
    return PairSet(language, tuple(dict.fromkeys(pairs)), meanings, tuple(limits))


def _attribute(value: Any, place: str) -> dict[str, Any]:
    fields = _object(value, place, "a, b and swaps")
    swaps = [
        {slot: _words(words, f"{at}, {shown(slot)}") for slot, words in _object(swap, at, A_SWAP).items()}
        for swap, at in _each(fields.get("swaps"), f"{place}, swaps", A_SWAP)
    ]
    if not swaps:
        raise ValueError(f"{place} has no swaps; give at least one: {A_SWAP}")
    return {"swaps": swaps} | {side: _text(fields.get(side), f"{place}, {side}") for side in ("a", "b")}


def _words(value: Any, place: str) -> tuple[str, str]:
    """What fills a slot: for A and for B; one of them may be empty."""
    expected = f'must be two different texts, such as ["she", "he"], got {shown(value)}'
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{place} {expected}")
    if value[0] == value[1]:
        raise ValueError(f"{place} {expected}; write what A and B have in common into the prompt")
    a, b = (_whole_text(word, place) for word in value)
    return a, b


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{place} must be a text that is not empty, got {shown(value)}{SEE}")
    return _whole_text(value, place)


def _whole_text(text: str, place: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{place} has a lone surrogate, which no tokenizer can encode: {shown(text)}") from None
    return text


def _object(value: Any, place: str, holds: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{place} must be an object with {holds}, got {shown(value)}{SEE}")
    return {_text(name, f"{place}, a name"): each for name, each in value.items()}


def _each(value: Any, place: str, of: str) -> Iterator[tuple[Any, str]]:
    """The entries of a list, each with its place."""
    if not isinstance(value, list):
        raise ValueError(f"{place} must be a list of {of}, got {shown(value)}{SEE}")
    return ((each, f"{place}, number {i}") for i, each in enumerate(value, 1))


def _filled(
    template: Mapping[str, str], swaps: Iterable[Mapping[str, tuple[str, str]]], where: str
) -> Iterator[Counterfactual]:
    prompt, continuation = template["prompt"], template["continuation"]
    slots = _slots(prompt, where)
    for swap in swaps:
        if lacking := slots - set(swap):
            raise ValueError(
                f"{where} has the slot {min(lacking)!r}, for which a swap of {template['attribute']!r} has no words"
            )
        a, b = (prompt.format(**{slot: words[side] for slot, words in swap.items()}) for side in (0, 1))
        group = f"{template['attribute']}: {template['group']}"
        yield Counterfactual(f"{prompt}{continuation}", group, a, b, continuation)


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
