"""What is noted of an argument or a result beside its shape and dtype, in both languages, and the names of results."""

import re

from minigpt.settings.language import Language

#: The notes in Chinese.
NOTES = {
    "row = previous token, column = next": "行为前一个词元，列为后一个词元",
    "in token order": "按词元编号排列",
    "first moment": "一阶矩",
    "second moment, ≥ 0": "二阶矩，≥ 0",
    "a True in each row": "每行至少有一个 True",
    "the mass to reach": "要达到的概率",
    "> 0, sums to 1": "> 0，和为 1",
    "sums to 1": "和为 1",
    "E even, positions counted from 0": "E 为偶数，位置从 0 开始计数",
    "positions counted from 0": "位置从 0 开始计数",
    "frozen": "冻结",
    "no two equal": "两两不同",
    "oldest first; S may be 0": "最早的在前；S 可以为 0",
    "scores of the block": "该块的分数",
    "the maximum so far; -inf at the start": "目前的最大值；开始时为 -inf",
    "the new token": "新词元",
    "the output so far; 0 at the start": "目前的输出；开始时为 0",
    "the sum so far; 0 at the start": "目前的和；开始时为 0",
    "values of the block": "该块的值",
    "position t scores the token after it": "位置 t 给它之后的词元打分",
    "function": "函数",
    "even": "偶数",
    "head h owns columns hE … (h+1)E - 1 of w_q, w_k and w_v, and the same rows of w_o": (
        "头 h 对应 w_q、w_k、w_v 的第 hE … (h+1)E - 1 列，以及 w_o 中相同的行"
    ),
    "the bytes of all texts": "所有文本的字节数",
    "1 to V": "1 到 V",
    "number of the step, from 1": "步数，从 1 开始",
    "T at least 2": "T 至少为 2",
    "list of (int, int)": "(int, int) 的列表",
    "merge number r, from 0, makes token 256 + r": "第 r 次合并（从 0 计数）得到词元 256 + r",
    "list of 1-D float32 tensors, one for each text: the nats of each token": (
        "一维 float32 张量的列表，每篇文本一个：各词元的损失（nat）"
    ),
    "list of K float32 tensors of one shape, each the gradient of a mean loss over its tokens": (
        "K 个形状相同的 float32 张量的列表，每个都是各自词元上平均损失的梯度"
    ),
    "list of K float32 tensors": "K 个 float32 张量的列表",
    "list of K ints, the tokens in each": "K 个 int 的列表：各自的词元数",
    "list of K, the shapes of gradients": "长度为 K 的列表，形状与各梯度相同",
    "list of T int, bytes 0 … 255": "T 个 int 的列表，字节 0 … 255",
    "the shape of one gradient": "与单个梯度形状相同",
    "at most T": "至多 T",
    "after the step, each as param": "这一步之后的值，形状同 param",
    "as param": "形状同 param",
    "perplexity": "困惑度",
    "bits per byte": "每字节比特数",
}
_NOTES = re.compile("|".join(rf"(?<![a-zA-Z]){re.escape(note)}(?![a-zA-Z])" for note in sorted(NOTES, key=len)[::-1]))


def noted(told: str, lang: Language) -> str:
    """An argument's or a result's shape, dtype and note.

    Args:
        told: such as "(n,) float32, sums to 1".
        lang: "en" or "zh".
    """
    if lang == "en":
        return told
    chinese = _NOTES.sub(lambda found: NOTES[found[0]], told)
    return re.sub(r"([,;]) (?=[^a-zA-Z(]*[\u4e00-\u9fff])", lambda found: {",": "，", ";": "；"}[found[1]], chinese)


def result_names(result: str, n: int, lang: Language) -> list[str]:
    """The names of several results, or their numbers where they have none.

    Args:
        result: of an exercise, such as "(dw (D,), db ())".
        n: how many results there are.
        lang: "en" or "zh".

    >>> result_names("(dw (D,), db ())", 2, "en"), result_names("list of K", 2, "en")
    (['dw', 'db'], ['1', '2'])
    """
    inside = re.match(r"\(((?:[^()]|\([^()]*\))*)\)", result)
    names = re.sub(r" *\([^()]*\)", "", inside[1]).split(", ") if inside else []
    return [noted(name, lang) for name in names] if len(names) == n else [str(k + 1) for k in range(n)]
