"""The frames of the sentences as one regular expression a language, for reading.

It is as wide as the words allow and knows nothing of the world: which sentences are possible where is for
:mod:`minigpt.text.tinyworld.parsing` to say. Capitals are not told apart here.
"""

import re
from collections.abc import Iterable
from functools import cache

import regex

from minigpt.text.tinyworld import words
from minigpt.text.tinyworld.rendering import LANGUAGES, forms_of


@cache
def rows_of(language: str) -> dict[str, dict[str, object]]:
    """For each slot, what can fill it, in lower case, with the row of its table; ``None`` for what refers back."""
    forms = forms_of(language)

    def rows(named: tuple[str, ...], *referring: str) -> dict[str, object]:
        return {**{word.lower(): row for row, word in enumerate(named)}, **dict.fromkeys(referring)}

    full: dict[str, object] = {phrase: item for item, phrase in forms.full.items()}
    return {
        "name": rows(forms.name),
        "actor": rows(forms.name, *forms.subject),
        "other": rows(forms.name, *forms.object),
        "owner": rows(forms.names_own, *forms.own),
        "thing": {**full, forms.it: None},
        "full": full,
        "new": {phrase: item for item, phrase in forms.new.items()},
        "second": {phrase: item for item, phrase in forms.second.items()},
        "to": rows(forms.to),
        "at": rows(forms.at),
        "from": rows(forms.to),
        "there": rows(forms.there),
        "here": rows(forms.at),
        "too": {"": None, forms.too: None},
    }


@cache
def pattern_of(language: str) -> regex.Pattern[str]:
    """One sentence of any kind, with a group ``lead``, one a slot, and one that is named after kind and frame."""
    which = LANGUAGES.index(language)
    slots = {slot: f"(?P<{slot}>{_any_of(rows)})" for slot, rows in rows_of(language).items()}
    kinds = []
    for kind, frames in words.FRAMES.items():
        told = [f"(?P<{kind}_{i}>{_with_slots(frame[which], slots)})" for i, frame in enumerate(frames)]
        kinds.append(f"(?P<lead>{_any_of(lead[which] for lead in words.leads(kind))})(?:{'|'.join(told)})")
    return regex.compile("|".join(kinds), regex.IGNORECASE)


def reading_of(found: regex.Match[str], language: str) -> tuple[str, int, dict[str, object]]:
    """What :func:`pattern_of` found: the kind of the sentence, the number of its wording, and the row in each slot."""
    which, rows = LANGUAGES.index(language), rows_of(language)
    groups = {name: text for name, text in found.groupdict().items() if text is not None}
    kind, frame = next((k, i) for k, frames in words.FRAMES.items() for i in range(len(frames)) if f"{k}_{i}" in groups)
    leads = [lead[which] for lead in words.leads(kind)]
    wording = leads.index(groups["lead"].lower()) * len(words.FRAMES[kind]) + frame
    return kind, wording, {slot: rows[slot][text.lower()] for slot, text in groups.items() if slot in rows}


def _any_of(phrases: Iterable[str]) -> str:
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))


def _with_slots(frame: str, slots: dict[str, str]) -> str:
    """A frame as a regular expression: what stands between the slots is meant literally."""
    literals = re.split(r"\{(\w+)\}", frame)
    return "".join(slots[part] if i % 2 else re.escape(part) for i, part in enumerate(literals))
