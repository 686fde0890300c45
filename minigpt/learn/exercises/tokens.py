"""The exercise of the tokens: encoding with byte-pair merges that were learned before."""

from itertools import pairwise

import torch
from torch import Tensor

from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.learning.bpe_encode import BPE_ENCODE_MISTAKES
from minigpt.learn.exercises.solutions.tokens import BPE_ENCODE_SOLUTIONS
from minigpt.text.tokenizers.bpe_training import TokenPair, join_pair, train_merges


def _text(d: ExerciseDraw, letters: Tensor) -> list[int]:
    """The letters as bytes, now and then one of them three times in a row."""
    return (97 + torch.repeat_interleave(letters, 1 + 2 * (d.ids(len(letters), below=8) == 0))).tolist()


def _draw(d: ExerciseDraw) -> tuple[list[int], list[TokenPair]]:
    """Merges of another text in the same letters, the first of which are more frequent there; now and then none."""
    n_letters, n_merges = d.choice([2, 2, 3, 4]), d.choice([0, d.integer(1, 5), *[d.integer(6, 10)] * 6])
    frequent_first = torch.minimum(d.ids(60, below=n_letters), d.ids(60, below=n_letters))
    trained_on = _text(d, frequent_first)
    words = {bytes(trained_on[i : i + 3]): 1 for i in range(0, len(trained_on), 3)}
    length = d.choice([0, d.integer(1, 30), *[d.integer(31, 40)] * 6])
    return _text(d, d.ids(40, below=n_letters))[:length], train_merges(words, n_merges, progress=False)


def _expected(ids: list[int], merges: list[TokenPair]) -> list[int]:
    """The rule as it is said: of the pairs that are present, the one of lowest rank, everywhere, and again."""
    while ranks := [merges.index(pair) for pair in pairwise(ids) if pair in merges]:
        ids = join_pair(ids, merges[min(ranks)], 256 + min(ranks))
    return list(ids)


BPE_ENCODE = Exercise(
    name="bpe_encode",
    level=2,
    stage=Words("Tokens", "词元"),
    task=Words(
        "Encode bytes with byte-pair merges: while an adjacent pair is among them, replace the one of lowest rank, "
        "from left to right.",
        "用学到的字节对合并规则编码：只要还有相邻的对在规则中，就从左到右替换其中秩最低的一对。",
    ),
    arguments={
        "ids": "list of T int, bytes 0 … 255",
        "merges": "list of (int, int); merge number r, from 0, makes token 256 + r",
    },
    result="(at most T,) int",
    latex=r"r = \min \{ k : (x_i, x_{i+1}) = m_k \}, \quad (x_i, x_{i+1}) \to 256 + r",
    equations=(),
    page="notebooks/04-tokenization",
    term=r"\min \{ k : (x_i, x_{i+1}) = m_k \}",
    draw=_draw,
    expected=_expected,
    misconceptions=BPE_ENCODE_MISTAKES,
    solutions=BPE_ENCODE_SOLUTIONS,
)

EXERCISES = (BPE_ENCODE,)
