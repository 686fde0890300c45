r"""Documents as rows: each text by itself, cut to the context and ended by ``<|endoftext|>``, in epochs.

A batch is what an epoch-wise loader gives: an epoch of n documents has $\lceil n / B \rceil$ batches, the last of them
with the few documents that are left. Its free rows are there all the same, with no target in them, so that every rank
has as many rows at every step; the loss, a mean over targets, is that of the documents alone.

Dimensions: B rows of the global batch, T positions, at most the context length, n documents.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from minigpt.files.paths import as_path
from minigpt.text.datasets.checks import check_batch
from minigpt.text.datasets.order import shuffled
from minigpt.text.datasets.rows import Row, RowDataset
from minigpt.text.reading import check_fraction, read_file, read_text, text_files
from minigpt.text.tokenizers.bpe import END_OF_TEXT
from minigpt.text.tokenizers.tokenizer import Tokenizer

_FREE = Row([0, 0], [False, False])
_LINE_END = re.compile(r"\r\n?")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")


def read_documents(path: str | os.PathLike[str], glob: str | None = None) -> list[str]:
    """The documents in a folder, a file each, or in one file, as :func:`split_documents` cuts it.

    Args:
        path: of the file or the folder.
        glob: in a folder, the files of this pattern, such as ``"*.py"``.

    Raises:
        ValueError: if the path does not exist, a file is not UTF-8, or there is no text.
    """
    if not as_path(path, "path").is_dir():
        return split_documents(read_text(path))
    documents = (read_file(file) for file in text_files(path, glob))
    return [document for document in documents if document.strip()]


def split_documents(text: str) -> list[str]:
    r"""The paragraphs of a text, between its blank lines; its lines, if it has no blank line.

    A line ends with ``\n``, ``\r\n`` or ``\r``; other separators, as U+2028 and the form feed, are part of it.
    """
    text = _LINE_END.sub("\n", text).strip()
    parts = _BLANK_LINE.split(text) if _BLANK_LINE.search(text) else text.split("\n")
    return [part for part in parts if part.strip()]


def split_validation(documents: Sequence[str], validation_fraction: float = 0.1) -> tuple[list[str], list[str]]:
    """Training and validation documents, in their order; neither list is empty.

    Raises:
        ValueError: if the fraction is not between 0 and 1, or there are fewer than two documents.
    """
    check_fraction(validation_fraction)
    if (n := len(documents)) < 2:
        raise ValueError(
            f"{n} document(s) can't be cut into training and validation; put blank lines between the documents of a "
            "file, or give a folder with a file for each"
        )
    cut = min(max(int(n * (1 - validation_fraction)), 1), n - 1)
    return list(documents[:cut]), list(documents[cut:])


@dataclass(frozen=True)
class DocumentDataset(RowDataset):
    """Documents in epochs; make one with :meth:`encode`, the arguments are those of :class:`RowDataset`.

    Attributes:
        n_cut: documents that are longer than the context.
        n_dropped: their tokens beyond it, the end of each included, which nothing is learnt from.
    """

    n_cut: int = field(default=0, kw_only=True)
    n_dropped: int = field(default=0, kw_only=True)

    @classmethod
    def encode(cls, documents: Sequence[str], tokenizer: Tokenizer, context_length: int) -> "DocumentDataset":
        """Encode every document; all its tokens but the first are to be learnt.

        Args:
            documents: texts.
            tokenizer: where it has the token ``<|endoftext|>``, that token ends a document, so that a model learns
                where to stop.
            context_length: T, in tokens; the rest of a longer document is lost, and its end with it: ``n_dropped``
                counts these tokens.

        Raises:
            ValueError: if no document has the two tokens that it takes to predict one.
        """
        end = [tokenizer.special_tokens[END_OF_TEXT]] if END_OF_TEXT in tokenizer.special_tokens else []
        rows, beyond = [], []
        for text in documents:
            tokens = tokenizer.encode(text) + end
            beyond.append(max(0, len(tokens) - context_length))
            if len(tokens[:context_length]) > 1:  # what does not fit the context would only fill the memory
                rows.append(np.array(tokens[:context_length], dtype=np.int64))
        if not rows:
            raise ValueError(f"none of {len(documents)} document(s) has two tokens or more; give a longer text")
        digest = hashlib.sha256()
        for ids in rows:
            digest.update(len(ids).to_bytes(8, "little") + ids.tobytes())

        def row(i: int) -> Row:
            return _FREE if i == len(rows) else Row(rows[i].tolist(), [True] * len(rows[i]))

        fingerprint, n_cut = digest.hexdigest()[:16], sum(map(bool, beyond))
        return cls(
            row, len(rows), context_length, tokenizer.vocab_size, fingerprint, n_cut=n_cut, n_dropped=sum(beyond)
        )

    def __str__(self) -> str:
        return f"{self.n_rows:,} documents"

    def n_batches(self, batch_size: int) -> int:
        """Batches an epoch, the last one included however few documents it has."""
        assert self.n_rows is not None
        return -(-self.n_rows // batch_size)

    def batch(
        self, step: int, batch_size: int, *, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`RowDataset.batch`, but no batch reaches across the end of an epoch: free rows fill it."""
        check_batch(step, batch_size, rank, world_size)
        assert self.n_rows is not None
        epoch, number = divmod(step, self.n_batches(batch_size))
        share = batch_size // world_size
        first = number * batch_size + rank * share
        positions = range(first, first + share)
        numbers = [shuffled(p, self.n_rows, seed, epoch) if p < self.n_rows else self.n_rows for p in positions]
        return self._padded([self._cut(i) for i in numbers])
