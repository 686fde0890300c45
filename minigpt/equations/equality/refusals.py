r"""Why a formula can't be read or evaluated, in Chinese: the engine says it in English.

A sentence that is not in this table is quoted: （原文：…）.
"""

import re
from functools import cache
from string import Formatter

from minigpt.settings.language import Bilingual, Language

REASONS = (
    # What was typed.
    Bilingual("{sign} is not LaTeX; write {fix}", "{sign} 不是 LaTeX 的写法，应写 {fix}"),
    Bilingual("{sign} is not LaTeX; {fix}", "{sign} 不是 LaTeX 的写法；{fix}"),
    Bilingual("the invisible character {code} is not read; delete it", "有一个不可见的字符 {code}，请删去"),
    Bilingual(
        'Python read the {sign} of {macro} as one character; write r before the string: r"…"',
        'Python 把 {macro} 中的 {sign} 当成了一个字符；请在字符串前加 r：r"…"',
    ),
    Bilingual(
        "this is Python, not LaTeX; pass the function itself, without quotation marks, or write its formula",
        "这是 Python 代码，不是 LaTeX；请去掉引号、直接传入函数，或写出它的公式",
    ),
    Bilingual(
        "the formula is empty; write an expression, or a left side, = and a right side",
        "公式是空的；请写一个表达式，或写出左边、= 和右边",
    ),
    Bilingual(
        "the left side is missing: write before = what the formula defines, or leave = out",
        "缺少左边：请在 = 之前写出公式定义的量，或去掉 =",
    ),
    Bilingual("the right side is missing: write after = what it is equal to", "缺少右边：请在 = 之后写出它等于什么"),
    Bilingual(
        r"a formula has one =; write a second formula in a row of \begin{{aligned}} or after \text{{where }}",
        r"一个公式只有一个 =；第二个公式请写成 \begin{{aligned}} 的一行，或写在 \text{{where }} 之后",
    ),
    Bilingual(
        "the formula ends too early: a part is missing, or something that was opened is not closed",
        "公式提前结束：缺少一部分，或有括号没有闭合",
    ),
    Bilingual("{sign} is not expected here; {fix}", "此处不应出现 {sign}；{fix}"),
    Bilingual("{sign} is not expected here", "此处不应出现 {sign}"),
    Bilingual(r"unknown macro {macro}; a name of your own is {fix}", r"没有 {macro} 这个命令；自己的名字要写成 {fix}"),
    Bilingual("unknown macro {macro}; write {fix}", "没有 {macro} 这个命令；应写 {fix}"),
    Bilingual("{word}(…) is a product of letters; write {fix}", "{word}(…) 会被当成几个字母相乘；应写 {fix}"),
    # Names and indices.
    Bilingual(
        r"{name} has no meaning here (did you mean {near}?); {known} has {names}: use these, or define it after "
        r"\text{{where }}",
        r"{name} 在这里没有含义（是不是 {near}？）；{known} 中有 {names}：请使用它们，或在 \text{{where }} 之后"
        "给出定义",
    ),
    Bilingual(
        r"{name} has no meaning here; {known} has {names}: use these, or define it after \text{{where }}",
        r"{name} 在这里没有含义；{known} 中有 {names}：请使用它们，或在 \text{{where }} 之后给出定义",
    ),
    Bilingual(
        "index {letter} is not bound here; bind it on the left side or by a sum",
        "指标 {letter} 在这里没有取值范围；请让它出现在左边，或对它求和",
    ),
    Bilingual(
        "index {letter} is already bound here; choose another letter",
        "指标 {letter} 在这里已经有取值范围；请换一个字母",
    ),
    Bilingual(
        "{letter} is an index here, but symbols or another row give it a meaning too; rename one of them",
        "{letter} 在这里是指标，但它另有含义；请给其中一个换个名字",
    ),
    Bilingual("e is Euler's number here; choose another letter for the index", "e 在这里是自然常数；指标请换一个字母"),
    Bilingual(
        r"a range needs an index, a single lower-case letter: \sum_{{i=1}}^{{n}} or \sum_{{i < n}}",
        r"求和范围需要一个指标，即一个小写字母：\sum_{{i=1}}^{{n}} 或 \sum_{{i < n}}",
    ),
    Bilingual(
        "the left side is another derivative; asked for was that with respect to {symbol}",
        "左边是另一个导数；要求的是对 {symbol} 的导数",
    ),
    Bilingual(
        r"{name} has {n} results: write them as rows of \begin{{aligned}} … \end{{aligned}}",
        r"{name} 有 {n} 个结果：请写成 \begin{{aligned}} … \end{{aligned}} 的各行",
    ),
    # Values.
    Bilingual("index {n} of {name} is outside {range}; {fix}", "{name} 的指标 {n} 超出了范围 {range}；{fix}"),
    Bilingual(
        "the range of {letter} is unknown: write its bounds or declare shapes in symbols",
        "不知道 {letter} 的取值范围：请写出它的上下界",
    ),
    Bilingual(
        "{letter} runs over {n} in {name}, but over {other} here; an index needs axes of one length",
        "{letter} 在 {name} 中取 {n} 个值，在这里却取 {other} 个；同一指标的各个轴必须一样长",
    ),
    Bilingual("shapes {one} and {other} do not fit", "形状 {one} 与 {other} 不相容"),
    Bilingual("cannot multiply shapes {one} and {other}", "形状 {one} 与 {other} 不能相乘"),
    Bilingual(
        r"a vector times a vector is ambiguous; write x \cdot y, x \odot y, x^\top y or x y^\top",
        r"向量乘向量有歧义；请写 x \cdot y、x \odot y、x^\top y 或 x y^\top",
    ),
    Bilingual(
        r"\cdot needs two vectors of one length, got {one} and {other}",
        r"\cdot 需要两个等长的向量，得到的形状是 {one} 与 {other}",
    ),
    Bilingual(
        "{name} has no entry {n}: it is out of range, or where needs the base case",
        "{name} 没有第 {n} 项：超出了范围，或缺少初值",
    ),
    Bilingual("{name} is defined by itself", "{name} 的定义用到了它自己"),
    Bilingual("{name} has {n} and is written with {written}", "{name} 的轴数与指标个数不同：{n}，写了 {written}"),
    Bilingual("expected a whole number here, got {value}", "此处应为整数，得到 {value}"),
    # What is too large.
    Bilingual(
        "the formula with its definitions is {n} characters long; at most {most} are read: write what repeats as a "
        "sum, or split it into equations",
        "公式连同定义共 {n} 个字符；最多读取 {most} 个：重复的部分请写成求和",
    ),
    Bilingual(
        "{n} levels of parentheses, fractions and indices inside one another; at most {most} are read: name the inner "
        "part in where, and use the name",
        r"括号、分式和指标嵌套了 {n} 层；最多读取 {most} 层：请在 \text{{where }} 之后给内层起个名字",
    ),
    Bilingual(
        r"the formula has {n} sums, differences, products and quotients; at most {most} are read here: write what "
        r"repeats with \sum or \prod",
        r"公式共有 {n} 次加减乘除；这里最多读取 {most} 次：重复的部分请用 \sum 或 \prod 写",
    ),
    Bilingual(
        "the evaluation needs {n} operations or more; at most {most} are done: evaluate it at smaller sizes",
        "求值至少需要 {n} 次运算；最多进行 {most} 次",
    ),
)
#: What is filled in.
REASON_PARTS = {
    r"names are letters, such as x, \alpha or \mathrm{loss}": r"名字由字母组成，例如 x、\alpha 或 \mathrm{loss}",
    "delete it or write its macro": "请删去，或写出它的命令",
    r"\cdot, or \odot for a product of elements": r"\cdot，逐元素相乘写 \odot",
    r"\sum for a sum, \Sigma for a name": r"\sum（求和）或 \Sigma（名字）",
    r"\sum or \prod with its bounds": r"带上下界的 \sum 或 \prod",
    r"\frac{a}{b} or a / b": r"\frac{a}{b} 或 a / b",
    "the letter alone; symbols says what it is": "单个字母",
    r"\log_2 or \log_{10}": r"\log_2 或 \log_{10}",
    r"x y^\top for the outer product": r"x y^\top（外积）",
    r"put what the function is applied to in parentheses: \log(x y)": r"函数作用的对象请加括号：\log(x y)",
    r"add parentheses: (a \cdot b) \cdot c": r"请加括号：(a \cdot b) \cdot c",
    r"a product after a quotient is ambiguous, write \frac{a}{b} c or a/(b c)": (
        r"除号后面再相乘有歧义，请写 \frac{a}{b} c 或 a/(b c)"
    ),
    r"write braces: \frac{1}{2}, \sqrt{2}": r"请加花括号：\frac{1}{2}，\sqrt{2}",
    "write the number first: 2 x": "数请写在前面：2 x",
    r"write a product with nothing between its factors, with \cdot or with \odot": (
        r"乘积请直接并写，或用 \cdot、\odot"
    ),
    r"words are read only as \text{where } and, in cases, as \text{if }": (
        r"文字只能写成 \text{where }，或在 cases 中写成 \text{if }"
    ),
    "only erf and sign are written so; write the formula of another function": (
        "这种写法只用于 erf 和 sign；其他函数请写出它的公式"
    ),
    "the environments are aligned, for rows, and cases": "可用的环境只有 aligned（多行）和 cases",
    r"put what follows / in parentheses, or write \frac{a}{b}": r"/ 之后的部分请加括号，或写 \frac{a}{b}",
    "an index follows a letter: z_i": "下标要紧跟在字母之后：z_i",
    r"the bounds of the index: \sum_{k=1}^{n}": r"指标的上下界：\sum_{k=1}^{n}",
    "write before = what the formula defines, such as y_i, and its value after =": (
        "= 的左边请写公式定义的量，例如 y_i，右边写它的值"
    ),
    r"put several rows into \begin{aligned} … \end{aligned} or into where": (
        r"多行请写进 \begin{aligned} … \end{aligned}，或写在 \text{where } 之后"
    ),
    "two exponents are ambiguous: write (x^a)^b or x^{a b}": "两个指数有歧义：请写 (x^a)^b 或 x^{a b}",
    "write parentheses for what belongs together: (a + b)": "把属于一起的部分写进圆括号：(a + b)",
    "write = for a definition": "定义请写 =",
    r"write a norm as \lVert x \rVert_1": r"范数请写 \lVert x \rVert_1",
    r"close \left( with \right)": r"\left( 要用 \right) 闭合",
    "bound the sum, declare a shorter shape or write cases": "请改变求和的上下界，或分情况写",
}


def why(told: str, lang: Language) -> str:
    """What the engine says, after "The formula can't be read": with its punctuation.

    Args:
        told: in English, without a full stop.
        lang: "en" or "zh".
    """
    if lang == "en":
        return f": {told}"
    for words, pattern in zip(REASONS, _patterns(), strict=True):
        if found := pattern.fullmatch(told):
            parts = {name: _phrase(text) for name, text in found.groupdict().items()}
            if "names" in parts:
                parts["names"] = parts["names"].replace(", ", "、")
            return "：" + words.zh.format(**parts)
    return f"（原文：{told}）"


def _phrase(text: str) -> str:
    exercise = re.fullmatch(r"the exercise (\w+)", text)
    quoted = f"（原文：{text}）" if re.search("[a-z]{3} [a-z]{2}", text) else text
    return f"练习 {exercise[1]}" if exercise else REASON_PARTS.get(text, quoted)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """For each sentence an expression with a group for each part that is filled in."""
    patterns = []
    for words in REASONS:
        parts = [
            re.escape(text) + (rf"(?P<{name}>.+?)" if name else "") for text, name, *_ in Formatter().parse(words.en)
        ]
        patterns.append(re.compile("".join(parts), re.DOTALL))
    return tuple(patterns)
