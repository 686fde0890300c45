r"""Near duplicates: documents that share most of their shingles, found with MinHash and LSH.

::

    text ──> shingles ──> signature ──> bands ──> candidates ──> estimated similarity ──> removed, or remembered

Only documents that stay are remembered, so of a family of near duplicates the first one stays. A chain is cut: if B is
like A, and C like B but not like A, then C stays.

Source: Broder 1997, On the resemblance and containment of documents; Leskovec, Rajaraman & Ullman 2014, Mining of
Massive Datasets, chapter 3.
"""

import numpy as np

from minigpt.settings import Range, meant_share, whole_number
from minigpt.text.cleaning.report import Removal, excerpt_of
from minigpt.text.cleaning.similarity import estimated_similarity, minhash_signature
from minigpt.text.cleaning.words import check_words_in_a_row, shingle_hashes

BUCKET = 16  # documents remembered for one value of a band: a bound on the time that a document takes
_SIMILARITY = Range(0.0, 1.0, "(]")


class NearDuplicates:
    """Remove a document whose estimated Jaccard similarity with one that stays reaches a threshold.

    Of each document that stays a few kilobytes are kept, however long it is. A document is compared with at most
    ``16 * bands`` others.

    Args:
        similarity: the least that counts as a duplicate, above 0 and at most 1.
        shingle: words in a shingle; characters, in Chinese.
        bands: of a signature.
        rows: in a band; a signature has ``bands * rows`` numbers.

    Raises:
        ValueError: if one of them is out of its range.
    """

    reason = "near copy"

    def __init__(self, similarity: float = 0.8, *, shingle: int = 5, bands: int = 20, rows: int = 6) -> None:
        check_words_in_a_row(shingle, "shingle")
        if not _SIMILARITY.holds(similarity):
            instead = meant_share(similarity, _SIMILARITY) or "; try 0.8"
            raise ValueError(f"similarity={similarity!r} must lie above 0 and be at most 1{instead}")
        bands, rows = whole_number("bands", bands, 1), whole_number("rows", rows, 1)
        if bands * rows > 2**14:
            raise ValueError(f"bands={bands:,} times rows={rows:,} must be at most 16,384 hashes")
        self.similarity, self.shingle, self.bands, self.rows = similarity, shingle, bands, rows
        self._tables: list[dict[bytes, list[int]]] = [{} for _ in range(bands)]
        self._signatures: list[np.ndarray] = []
        self._names: list[str] = []

    def removal(self, name: str, text: str) -> Removal | None:
        """Why the document is removed; ``None`` if it stays, and then it is remembered.

        Args:
            name: of the document.
            text: of the document; one without words stays and is not remembered.
        """
        hashes = np.unique(shingle_hashes(text, self.shingle))
        if len(hashes) == 0:
            return None
        signature = minhash_signature(hashes, self.bands * self.rows)
        bands = [band.tobytes() for band in signature.reshape(self.bands, self.rows)]
        if candidates := self._candidates(bands):
            found = estimated_similarity(signature, np.stack([self._signatures[i] for i in candidates]))
            best = int(found.argmax())
            if found[best] >= self.similarity:
                detail = f"estimated similarity {found[best]:.2f} with {self._names[candidates[best]]}"
                return Removal(name, self.reason, detail, excerpt_of(text))
        self._remember(name, signature, bands)
        return None

    def _candidates(self, bands: list[bytes]) -> list[int]:
        """The documents that agree in at least one band."""
        return sorted({i for table, band in zip(self._tables, bands, strict=True) for i in table.get(band, ())})

    def _remember(self, name: str, signature: np.ndarray, bands: list[bytes]) -> None:
        for table, band in zip(self._tables, bands, strict=True):
            if len(bucket := table.setdefault(band, [])) < BUCKET:
                bucket.append(len(self._names))
        self._signatures.append(signature)
        self._names.append(name)
