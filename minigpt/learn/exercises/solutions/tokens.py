"""Right answers to the exercise of the tokens."""

from itertools import pairwise

import torch
from torch import Tensor


def _bpe_as_written(ids: list[int], merges: list[tuple[int, int]]) -> list[int]:
    ranks, ids = {pair: rank for rank, pair in enumerate(merges)}, list(ids)
    while present := [pair for pair in pairwise(ids) if pair in ranks]:
        pair = min(present, key=ranks.__getitem__)
        merged, i = [], 0
        while i < len(ids):
            if tuple(ids[i : i + 2]) == pair:
                merged.append(256 + ranks[pair])
                i += 2
            else:
                merged.append(ids[i])
                i += 1
        ids = merged
    return ids


def _bpe_one_merge_after_another(ids: list[int], merges: list[tuple[int, int]]) -> list[int]:
    ids = list(ids)
    for rank, (first, second) in enumerate(merges):
        i = 0
        while i + 1 < len(ids):
            if ids[i] == first and ids[i + 1] == second:
                ids[i : i + 2] = [256 + rank]
            i += 1
    return ids


def _bpe_one_place_after_another(ids: list[int], merges: list[tuple[int, int]]) -> tuple[int, ...]:
    tokens = tuple(ids)
    places = [(merges.index(pair), i) for i, pair in enumerate(pairwise(tokens)) if pair in merges]
    if not places:
        return tokens
    rank, i = min(places)  # the lowest rank, and of its places the leftmost
    return _bpe_one_place_after_another([*tokens[:i], 256 + rank, *tokens[i + 2 :]], merges)


def _bpe_as_text(ids: list[int], merges: list[tuple[int, int]]) -> Tensor:
    text = "".join(map(chr, ids))
    for rank, (first, second) in enumerate(merges):
        text = text.replace(chr(first) + chr(second), chr(256 + rank))
    return torch.tensor([ord(character) for character in text], dtype=torch.int64)


BPE_ENCODE_SOLUTIONS = (
    _bpe_as_written,
    _bpe_one_merge_after_another,
    _bpe_one_place_after_another,
    _bpe_as_text,
)
