"""Mistakes with encoding by learned byte-pair merges.

A slip that differs from the rule only in which pair comes next, or only in how a pair is replaced, shares the rest.
"""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("bpe_encode")
_Pair = tuple[int, int]
_Ids = list[int]
_Replace = Callable[[_Ids, _Pair, int], _Ids]


def _replaced(ids: _Ids, pair: _Pair, new: int) -> _Ids:
    """Every occurrence of the pair, from left to right, none overlapping."""
    out: _Ids = []
    for token in ids:
        out.append(token)
        if len(out) > 1 and (out[-2], token) == pair:
            out[-2:] = [new]
    return out


def _encode(ids: _Ids, merges: list[_Pair], choose: Callable[[list[_Pair], _Ids], _Pair], replace: _Replace) -> _Ids:
    """While a pair of the list is present: the chosen one is replaced."""
    while present := [pair for pair in pairwise(ids) if pair in merges]:
        pair = choose(present, ids)
        ids = replace(ids, pair, 256 + merges.index(pair))
    return ids


@_mistake(
    "by-position",
    "order",
    "You merged the leftmost pair first. The order is that of the merges, not of the text: among all adjacent pairs "
    "the one that was learned first (lowest rank) comes first.",
    "先合并了最左边的一对。先后次序由合并规则决定，而不是文本位置：在所有相邻的对中，先合并最早学到的（秩最低的）那一对。",
)
def _by_position(ids: _Ids, merges: list[_Pair]) -> _Ids:
    out: _Ids = []
    for token in ids:
        out.append(token)
        while len(out) > 1 and (out[-2], out[-1]) in merges:
            out[-2:] = [256 + merges.index((out[-2], out[-1]))]
    return out


@_mistake(
    "sweeps",
    "order",
    "You swept over the text and joined every pair of the list on the way, whatever its rank, again and again. One "
    "rank is applied to the whole text before the next is chosen.",
    "一遍遍扫过文本，沿途只要遇到列表中的对就合并，不看秩。应当先在全文中用完一个秩，再选下一个。",
)
def _sweeps(ids: _Ids, merges: list[_Pair]) -> _Ids:
    while any(pair in merges for pair in pairwise(ids)):
        out, rest = [], list(ids)
        while rest:
            pair = tuple(rest[:2])
            out.append(256 + merges.index(pair) if pair in merges else rest[0])
            rest = rest[2 if pair in merges else 1 :]
        ids = out
    return list(ids)


@_mistake(
    "latest-first",
    "order",
    "You took the merge of the highest rank, the one learned last. Encoding repeats the training from its beginning: "
    "the lowest rank comes first.",
    "先用了秩最高、最后学到的合并规则。编码是从头重演训练过程，应当先用秩最低的。",
)
def _latest_first(ids: _Ids, merges: list[_Pair]) -> _Ids:
    return _encode(ids, merges, lambda present, _: max(present, key=merges.index), _replaced)


@_mistake(
    "most-frequent-first",
    "wrong-operand",
    "You merged the pair that is most frequent in this text, as training does. When a text is encoded the order is "
    "fixed already: the rank in the list of merges decides, not a count.",
    "合并的是当前文本中出现次数最多的一对，那是训练时的做法。编码时次序早已固定：由合并列表中的秩决定，与频数无关。",
)
def _most_frequent(ids: _Ids, merges: list[_Pair]) -> _Ids:
    def most_frequent(present: list[_Pair], _: _Ids) -> _Pair:
        counts = Counter(present)
        return min(counts, key=lambda pair: (-counts[pair], merges.index(pair)))

    return _encode(ids, merges, most_frequent, _replaced)


@_mistake(
    "longest-match",
    "order",
    "You cut off the longest token that fits, from the left, as a dictionary search does. Byte-pair encoding builds "
    "tokens by merging pairs in the order learned, and may end with other tokens.",
    "从左到右每次取能匹配的最长词元，相当于查词典的最大匹配。字节对编码按学习次序逐对合并得到词元，结果可能不同。",
)
def _longest_match(ids: _Ids, merges: list[_Pair]) -> _Ids:
    parts: dict[int, tuple[int, ...]] = {token: (token,) for token in range(256)}
    for rank, (first, second) in enumerate(merges):
        parts[256 + rank] = parts[first] + parts[second]
    spelled = {spelling: token for token, spelling in parts.items()}
    out, rest = [], tuple(ids)
    while rest:
        length = max(n for n in range(1, len(rest) + 1) if rest[:n] in spelled)
        out.append(spelled[rest[:length]])
        rest = rest[length:]
    return out


@_mistake(
    "one-merge-only",
    "missing",
    "You stopped after one merge. Its result can be part of further pairs, so the search is repeated until no "
    "adjacent pair is in the list.",
    "只做了一次合并就停止了。合并得到的词元还可能组成新的对，应重复查找，直到没有任何相邻的对在列表中。",
)
def _one_merge(ids: _Ids, merges: list[_Pair]) -> _Ids:
    present = [pair for pair in pairwise(ids) if pair in merges]
    if not present:
        return list(ids)
    pair = min(present, key=merges.index)
    return _replaced(ids, pair, 256 + merges.index(pair))


@_mistake(
    "bytes-only",
    "missing",
    "You merged pairs of bytes only. A token made by a merge can itself be half of a later pair; those merges never "
    "happened here.",
    "只合并了由字节组成的对。合并产生的词元（编号 256 及以上）也可以是后面某一对的一半，而这些合并没有进行。",
)
def _bytes_only(ids: _Ids, merges: list[_Pair]) -> _Ids:
    for rank, pair in enumerate(merges):
        ids = _replaced(ids, pair, 256 + rank) if max(pair) < 256 else ids
    return list(ids)


@_mistake(
    "first-occurrence-only",
    "missing",
    "Each merge replaced only the first place where its pair occurs. It applies to all its occurrences, from left to "
    "right.",
    "每条规则只替换了第一处出现的位置。应当从左到右替换这一对的所有出现。",
)
def _first_only(ids: _Ids, merges: list[_Pair]) -> _Ids:
    for rank, pair in enumerate(merges):
        places = [i for i, found in enumerate(pairwise(ids)) if found == pair][:1]
        for i in places:
            ids = [*ids[:i], 256 + rank, *ids[i + 2 :]]
    return list(ids)


@_mistake(
    "overlapping",
    "extra",
    "In a run of one letter you used a token for two pairs: three equal letters became two merged tokens. Occurrences "
    "must not overlap; a token that was merged is used up.",
    "遇到连续相同的字母时，同一个词元被用在了两对之中：三个相同字母变成了两个合并词元。各处替换不能重叠，合并过的词元不能再用。",
)
def _overlapping(ids: _Ids, merges: list[_Pair]) -> _Ids:
    def overlapping(ids: _Ids, pair: _Pair, new: int) -> _Ids:
        starts = [found == pair for found in pairwise(ids)] + [False]
        ends = [False, *starts[:-1]]
        marked = zip(ids, starts, ends, strict=True)
        return [new if start else token for token, start, end in marked if start or not end]

    return _encode(ids, merges, lambda present, _: min(present, key=merges.index), overlapping)


@_mistake(
    "from-the-right",
    "order",
    "You replaced from right to left. It shows in runs of an odd number of equal letters: the pairs are taken from "
    "the left, and the odd letter remains at the right end.",
    "替换是从右往左进行的。连续奇数个相同字母时会有差别：应从左边开始配对，多出的一个字母留在右端。",
)
def _from_the_right(ids: _Ids, merges: list[_Pair]) -> _Ids:
    def from_the_right(ids: _Ids, pair: _Pair, new: int) -> _Ids:
        return _replaced(ids[::-1], (pair[1], pair[0]), new)[::-1]

    return _encode(ids, merges, lambda present, _: min(present, key=merges.index), from_the_right)


@_mistake(
    "last-token-lost",
    "border",
    "Whenever a merge ran over the ids, the last one was lost unless it was part of a pair. The last id has no right "
    "neighbour, but it is kept.",
    "每次扫描替换时，末尾的编号若不在词对中就丢失了。最后一个编号右边没有邻居，但也要保留。",
)
def _last_lost(ids: _Ids, merges: list[_Pair]) -> _Ids:
    def lossy(ids: _Ids, pair: _Pair, new: int) -> _Ids:
        whole = _replaced(ids, pair, new)
        return whole if whole[-1] == new else whole[:-1]

    return _encode(ids, merges, lambda present, _: min(present, key=merges.index), lossy)


@_mistake(
    "either-order",
    "order",
    "You merged a pair in either order, (b, a) as well as (a, b). A pair is ordered: its first token stands on the "
    "left.",
    "合并时不分先后，(b, a) 也当成了 (a, b)。词对是有序的：第一个词元必须在左边。",
)
def _either_order(ids: _Ids, merges: list[_Pair]) -> _Ids:
    for rank, (first, second) in enumerate(merges):
        out: _Ids = []
        for token in ids:
            if out and (out[-1], token) in [(first, second), (second, first)]:
                out[-1] = 256 + rank
            else:
                out.append(token)
        ids = out
    return list(ids)


@_mistake(
    "rank-as-id",
    "constant",
    "You wrote the rank of the merge as the new token. The ids 0 … 255 are those of the bytes, so merge number r makes "
    "token 256 + r.",
    "把合并规则的秩直接当成了新词元的编号。0 … 255 已是各字节的编号，第 r 条规则产生的词元是 256 + r。",
)
def _rank_as_id(ids: _Ids, merges: list[_Pair]) -> _Ids:
    whole = _encode(ids, merges, lambda present, _: min(present, key=merges.index), _replaced)
    return [token - 256 if token >= 256 else token for token in whole]


BPE_ENCODE_MISTAKES = tuple(_mistake.found)
