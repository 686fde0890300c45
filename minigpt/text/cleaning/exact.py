"""Exact duplicates: documents whose normalised texts are equal."""

from hashlib import blake2b

from minigpt.text.cleaning.report import Removal, excerpt_of
from minigpt.text.cleaning.words import normalised


class ExactDuplicates:
    """Remove a document whose normalised text came before: case, white space and Unicode form make no difference.

    Of each document a hash of 16 bytes is kept, and the name of the first document with that hash.
    """

    reason = "exact copy"

    def __init__(self) -> None:
        self._first: dict[bytes, str] = {}

    def removal(self, name: str, text: str) -> Removal | None:
        """Why the document is removed; ``None`` if nothing like it came before.

        Args:
            name: of the document.
            text: of the document.
        """
        key = blake2b(normalised(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if key in self._first:
            return Removal(name, self.reason, f"the text of {self._first[key]}", excerpt_of(text))
        self._first[key] = name
        return None
