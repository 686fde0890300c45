"""The tiny world as a corpus without end: story number i of a split, a seed and a language."""

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from minigpt.text.tinyworld.derivation import Derivation, derive, log_prob
from minigpt.text.tinyworld.entropy import Floor, expected_characters, expected_nats
from minigpt.text.tinyworld.parsing import parse
from minigpt.text.tinyworld.rendering import LANGUAGES, render
from minigpt.text.tinyworld.splits import combinations
from minigpt.text.tokenizers.tokenizer import Tokenizer

DRAWS = 64  # random numbers for one story; none takes more than 38


@dataclass(frozen=True)
class TinyWorld:
    """Micro-stories whose probability and entropy are known exactly.

    Story i is a pure function of ``seed``, ``split`` and i. The language does not enter: story i in Chinese is the
    translation of story i in English.

    Args:
        language: "en"; "zh"; or "both", English on one line and Chinese on the next.
        split: "train", "validation" or "test", which share no combination of :mod:`minigpt.text.tinyworld.splits`; or
            "all", the world without a split.
        seed: a whole number; another seed gives other stories of the same world.

    Raises:
        ValueError: if there is no such language or split.
    """

    language: str = "en"
    split: str = "train"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.language not in (*LANGUAGES, "both"):
            raise ValueError(f"there is no language {self.language!r}; choose {', '.join(LANGUAGES)} or both")
        combinations(self.split)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the lines of a story."""
        return LANGUAGES if self.language == "both" else (self.language,)

    def derivation(self, i: int) -> Derivation:
        """The choices behind story i.

        Raises:
            ValueError: if ``i`` is negative.
        """
        if i < 0:
            raise ValueError(f"there is no story {i}; stories are numbered from 0")
        return derive(self.draws(i), self.split)

    def story(self, i: int) -> str:
        """Story i, without the end of its last line.

        Raises:
            ValueError: if ``i`` is negative.
        """
        derivation = self.derivation(i)
        return "\n".join(render(derivation, language) for language in self.languages)

    def stories(self, start: int = 0) -> Iterator[str]:
        """Story after story, without end."""
        while True:
            yield self.story(start)
            start += 1

    def text(self, n_stories: int, start: int = 0) -> str:
        """Stories one below the other, each with a line end.

        Args:
            n_stories: how many, at least 1.
            start: the number of the first.

        Raises:
            ValueError: if there is no story to tell.
        """
        if n_stories < 1:
            raise ValueError(f"n_stories={n_stories} must be at least 1")
        return "".join([self.story(i) + "\n" for i in range(start, start + n_stories)])

    def parse(self, story: str) -> Derivation:
        """The choices behind a story: the inverse of rendering.

        Args:
            story: one story as :meth:`story` gives it; the end of its last line may follow.

        Raises:
            ValueError: if it is no story of the language; it names the character and what was expected there.
        """
        lines = story.removesuffix("\n").split("\n")
        if len(lines) != len(self.languages):
            raise ValueError(f"got {len(lines)} lines, expected {len(self.languages)}; parse one story at a time")
        found = [parse(line, language) for line, language in zip(lines, self.languages, strict=True)]
        if found[0] != found[-1]:
            raise ValueError("the two lines tell different stories; give a story and its translation")
        return found[0]

    def holds(self, story: str) -> bool:
        """Whether a text is a story of this world's language: grammatical, and possible from beginning to end."""
        try:
            self.parse(story)
        except ValueError:
            return False
        return True

    def log_prob(self, story: str) -> float:
        """The exact log-probability of a story, in nats; minus infinity for a story of another split.

        Raises:
            ValueError: if it is no story of the language.
        """
        return log_prob(self.parse(story), self.split)

    def floor(self, tokenizer: Tokenizer | None = None, n_stories: int = 2000) -> Floor:
        """The least expected loss that a model of this world can have.

        Nats and characters are exact; tokens are counted in the first stories, since they follow no simple law.

        Args:
            tokenizer: counts the tokens, if they are wanted.
            n_stories: in how many stories they are counted.
        """
        nats = expected_nats(self.split)
        characters = sum(expected_characters(self.split, language) for language in self.languages)
        tokens = None if tokenizer is None else len(tokenizer.encode(self.text(n_stories))) / n_stories
        return Floor(nats, characters, tokens)

    def draws(self, i: int, purpose: str = "") -> Callable[[int], int]:
        """Random choices that go with story i, the same in every version: they come from a hash of its name.

        Args:
            i: the story.
            purpose: other choices for another purpose; none for the story itself.

        Returns:
            A function that gives a whole number below the one it is called with, at most 64 times.
        """
        name = f"tiny world/{self.split}/{self.seed}/{i}{purpose and '/' + purpose}".encode()
        draws = iter(struct.unpack(f"<{DRAWS}Q", hashlib.shake_128(name).digest(8 * DRAWS)))
        # 64 random bits make the n numbers equally likely to one part in 2**64 / n
        return lambda n: (next(draws) * n) >> 64
