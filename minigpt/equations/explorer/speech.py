"""The words in which formulas are read aloud, in English and in Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Speech:
    """How one language reads formulas; braces stand for the parts, in words.

    Attributes:
        forms: by the kind of node.
        reductions: by the sign; the first part is what it runs over, the second what is reduced.
        relations: between two sides.
        signs: in a name, such as the underscore before a subscript.
        derivative: of a name with respect to another one.
        accents: above a name.
    """

    forms: Mapping[str, str]
    reductions: Mapping[str, str]
    relations: Mapping[str, str]
    signs: Mapping[str, str]
    derivative: str
    accents: Mapping[str, str]


ENGLISH = Speech(
    forms={
        "definition": "{} equals {}",
        "equality": "{} equals {}",
        "add": "{} plus {}",
        "subtract": "{} minus {}",
        "negative": "minus {}",
        "times": "{} times {}",
        "dot": "{} dot {}",
        "hadamard": "{} times, element by element, {}",
        "quotient": "{} over {}",
        "fraction": "the fraction {} over {}, end of fraction,",
        "power": "{} to the power {}",
        "transpose": "{} transposed",
        "group": "open parenthesis {} close parenthesis",
        "root": "the square root of {}, end of root,",
        "norm": "the norm of {}",
        "absolute": "the absolute value of {}",
        "modulo": "{} modulo {}",
        "ceiling": "{} rounded up",
        "floor": "{} rounded down",
        "indicator": "1 if {}, else 0,",
        "from_to": "{} from {} to {}",
        "over": "{}",
        "such_that": "{1}",
        "before": "everything before {}",
        "number": "{}",
        "call": "{} of {}",
        "subscript": "{} sub {}",
        "case": "{} if {}",
        "otherwise": "{} otherwise",
        "and": "{} and {}",
        "or": "{}, or {}",
        "sum_label": "{}. Enter unrolls it",
        "symbol_label": "{}: {}",
    },
    reductions={
        r"\sum": "the sum over {} of {}",
        r"\prod": "the product over {} of {}",
        r"\max": "the maximum over {} of {}",
        r"\min": "the minimum over {} of {}",
        r"\arg\max": "the index of the maximum over {} of {}",
        r"\arg\min": "the index of the minimum over {} of {}",
    },
    relations={"<": "less than", ">": "greater than", r"\le": "at most", r"\ge": "at least", r"\ne": "not equal to"},
    signs={"_": " sub ", "^": " super ", "'": " prime", "-": " minus ", "+": " plus "},
    derivative="derivative of {} with respect to {}",
    accents={"hat": "{} hat", "bar": "{} bar"},
)

CHINESE = Speech(
    forms={
        "definition": "{} 等于 {}",
        "equality": "{} 等于 {}",
        "add": "{} 加 {}",
        "subtract": "{} 减 {}",
        "negative": "负 {}",
        "times": "{} 乘 {}",
        "dot": "{} 点乘 {}",
        "hadamard": "{} 逐元素乘 {}",
        "quotient": "{} 除以 {}",
        "fraction": "分式，分子 {}，分母 {}，分式结束",
        "power": "{} 的 {} 次方",
        "transpose": "{} 的转置",
        "group": "左括号 {} 右括号",
        "root": "根号 {}，根号结束",
        "norm": "{} 的范数",
        "absolute": "{} 的绝对值",
        "modulo": "{} 模 {}",
        "ceiling": "{} 向上取整",
        "floor": "{} 向下取整",
        "indicator": "若 {} 则为 1，否则为 0",
        "from_to": "{} 从 {} 到 {}",
        "over": "{}",
        "such_that": "{1}",
        "before": "{} 之前的全部",
        "number": "{}",
        "call": "{} 作用于 {}",
        "subscript": "{} 下标 {}",
        "case": "若 {1}，则为 {0}",
        "otherwise": "否则为 {}",
        "and": "{} 和 {}",
        "or": "{}；{}",
        "sum_label": "{}。按回车展开",
        "symbol_label": "{}：{}",
    },
    reductions={
        r"\sum": "对 {} 求和 {}",
        r"\prod": "对 {} 求积 {}",
        r"\max": "对 {} 取最大值 {}",
        r"\min": "对 {} 取最小值 {}",
        r"\arg\max": "对 {} 取最大值的指标 {}",
        r"\arg\min": "对 {} 取最小值的指标 {}",
    },
    relations={"<": "小于", ">": "大于", r"\le": "小于等于", r"\ge": "大于等于", r"\ne": "不等于"},
    signs={"_": " 下标 ", "^": " 上标 ", "'": " 撇", "-": " 减 ", "+": " 加 "},
    derivative="{} 对 {} 的导数",
    accents={"hat": "{} 帽", "bar": "{} 横线"},
)

#: By the language of the page.
SPEECHES = {"en": ENGLISH, "zh": CHINESE}
