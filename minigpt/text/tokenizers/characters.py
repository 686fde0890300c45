"""The character tokenizer: one id for each distinct character.

The smallest vocabulary and the longest sequences. Nothing is learned but the list of characters, so a character that
was not in the training text has no id.
"""

from collections.abc import Sequence
from typing import Any

from minigpt.text.tokenizers.tokenizer import TokenizerBase, check_ids, check_text, json_field, json_header


class CharTokenizer(TokenizerBase):
    """Characters to ids, in the order they are given.

    Args:
        characters: the vocabulary; distinct characters, the id of each is its place.

    Raises:
        ValueError: if there is no character, one is given twice, or one is a lone surrogate.
    """

    name = "char"

    def __init__(self, characters: str) -> None:
        check_text(characters)
        if not characters:
            raise ValueError("a character tokenizer needs at least one character; train it on a text that is not empty")
        self.characters = characters
        self._ids = {character: i for i, character in enumerate(characters)}
        if len(self._ids) < len(characters):
            twice = next(c for i, c in enumerate(characters) if self._ids[c] != i)
            raise ValueError(f"character {twice!r} is given twice; give each character once")

    @classmethod
    def train(cls, text: str) -> "CharTokenizer":
        """Take the distinct characters of ``text``, in code point order."""
        return cls("".join(sorted(set(text))))

    @property
    def vocab_size(self) -> int:
        """V, the number of distinct characters."""
        return len(self.characters)

    @property
    def special_tokens(self) -> dict[str, int]:
        """None: every id is a character."""
        return {}

    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """Turn a text into one id a character.

        Args:
            text: characters of the vocabulary.
            allow_special: has nothing to act on here.

        Raises:
            ValueError: if a character has no id; it names the character and its position.
        """
        try:
            return [self._ids[character] for character in text]
        except KeyError:
            check_text(text)
            position, unknown = next((i, c) for i, c in enumerate(text) if c not in self._ids)
            raise ValueError(
                f"character {unknown!r} (U+{ord(unknown):04X}) at position {position} is not among the "
                f"{self.vocab_size} characters of this tokenizer; remove it, train the tokenizer on text that has it, "
                "or use a BPETokenizer, which encodes every text"
            ) from None

    def decode(self, ids: Sequence[int]) -> str:
        """Turn ids into text.

        Raises:
            ValueError: if an id is not below ``vocab_size``.
        """
        check_ids(ids, self.vocab_size)
        return "".join([self.characters[i] for i in ids])

    def token_bytes(self, token_id: int) -> bytes:
        """The UTF-8 bytes of one character.

        Raises:
            ValueError: if the id is not below ``vocab_size``.
        """
        return self.decode([token_id]).encode()

    def to_json(self) -> dict[str, Any]:
        """The characters, as a JSON object."""
        return {**json_header("char"), "characters": self.characters}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "CharTokenizer":
        """Build the tokenizer that :meth:`to_json` described."""
        return cls(json_field(data, "characters", str))
