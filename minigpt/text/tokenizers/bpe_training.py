"""Learning the merges of byte-pair encoding, with counts that are updated rather than recounted.

Every word starts as a list of byte ids. Each step joins the most frequent pair of neighbours, everywhere, into a new
id. Only the words that hold the pair change, so only their pairs are counted again; a heap yields the next best pair,
and an entry whose count has moved on is dropped when it comes up.

Source: Sennrich, Haddow & Birch 2016, arXiv:1508.07909, section 3.2; bytes for symbols as in Radford et al. 2019.
Departure: ties have an order of their own (the lexicographically greatest pair of byte strings wins), so that the same
text gives the same merges on every machine.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise

TokenPair = tuple[int, int]

_FLIP = bytes(255 - byte for byte in range(256))


def train_merges(word_counts: Mapping[bytes, int], n_merges: int, *, progress: bool | None = None) -> list[TokenPair]:
    """Learn up to ``n_merges`` merges.

    Args:
        word_counts: how often each word, as UTF-8 bytes, occurs. No merge crosses from one word to the next.
        n_merges: how many pairs to join.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.

    Returns:
        The pairs in the order learned: pair ``i`` becomes id ``256 + i``. Fewer than ``n_merges`` when every word has
        become a single token.
    """
    from tqdm import tqdm

    state = _PairCounts(word_counts)
    merges: list[TokenPair] = []
    bar = tqdm(total=n_merges, desc="BPE merges", disable=progress is False, delay=0 if progress else 2, leave=False)
    with bar:
        while len(merges) < n_merges and (pair := state.pop_best()) is not None:
            state.merge(pair)
            merges.append(pair)
            bar.update()
    return merges


class _PairCounts:
    """The words as they stand, how often each pair of neighbours occurs, and which words hold it."""

    def __init__(self, word_counts: Mapping[bytes, int]) -> None:
        self.words = [list(word) for word in word_counts]
        self.word_counts = list(word_counts.values())
        self.counts: Counter[TokenPair] = Counter()
        self.holders: defaultdict[TokenPair, set[int]] = defaultdict(set)
        for index, (word, count) in enumerate(zip(self.words, self.word_counts, strict=True)):
            for pair in pairwise(word):
                self.counts[pair] += count
                self.holders[pair].add(index)
        self.vocabulary = [bytes([byte]) for byte in range(256)]
        self.tie_keys = [_tie_key(token) for token in self.vocabulary]
        self.heap = [self._entry(pair) for pair in self.counts]
        heapq.heapify(self.heap)

    def _entry(self, pair: TokenPair) -> tuple[int, str, TokenPair]:
        return -self.counts[pair], self.tie_keys[pair[0]] + self.tie_keys[pair[1]], pair

    def pop_best(self) -> TokenPair | None:
        """The most frequent pair; None when no word has two tokens."""
        while self.heap:
            negative_count, _, pair = heapq.heappop(self.heap)
            if self.counts.get(pair) == -negative_count:
                return pair
        return None

    def merge(self, pair: TokenPair) -> None:
        """Join ``pair`` into a new id wherever it occurs."""
        self.vocabulary.append(self.vocabulary[pair[0]] + self.vocabulary[pair[1]])
        self.tie_keys.append(_tie_key(self.vocabulary[-1]))
        changed: set[TokenPair] = set()
        for index in self.holders.pop(pair):
            changed |= self._rewrite(index, pair, len(self.vocabulary) - 1)
        del self.counts[pair]
        for other in changed - {pair}:
            if self.counts[other]:
                heapq.heappush(self.heap, self._entry(other))
            else:
                del self.counts[other]

    def _rewrite(self, index: int, pair: TokenPair, new_id: int) -> set[TokenPair]:
        """Join ``pair`` in one word, from left to right; returns the pairs whose counts have changed."""
        before, count = self.words[index], self.word_counts[index]
        after = self.words[index] = join_pair(before, pair, new_id)
        change = Counter(pairwise(after))
        change.subtract(pairwise(before))
        changed = {other for other, difference in change.items() if difference}
        for other in changed:
            self.counts[other] += count * change[other]
            if other[0] == new_id or other[1] == new_id:
                self.holders[other].add(index)
        return changed


def join_pair(word: list[int], pair: TokenPair, new_id: int) -> list[int]:
    """Replace each occurrence of ``pair`` by ``new_id``, taking them from the left when they overlap."""
    first, second = pair
    joined: list[int] = []
    position, last = 0, len(word) - 1
    while position <= last:
        if word[position] == first and position < last and word[position + 1] == second:
            joined.append(new_id)
            position += 2
        else:
            joined.append(word[position])
            position += 1
    return joined


def _tie_key(token: bytes) -> str:
    """A string that sorts in the opposite order of ``token``, since the heap yields its least entry first.

    Flipped bytes reverse the order of bytes that differ; the terminator, above every byte, puts a token behind the
    longer ones it begins, and lets the keys of a pair be joined without mixing them up.
    """
    return token.translate(_FLIP).decode("latin-1") + "\u0100"
