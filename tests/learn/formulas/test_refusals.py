r"""Formulas that can't be read: each gets one sentence that says what to write, in both languages."""

import re
import time
from html.parser import HTMLParser

import pytest
import torch

import minigpt as mg
from minigpt.equations import characters, hints
from minigpt.equations.equality import refusals
from minigpt.equations.equality.expression import undelimited
from minigpt.learn.formulas import as_function

SOFTMAX = r"p_i = \frac{\exp(z_i)}{\sum_k \exp(z_k)}"
# What is typed for softmax, and the English and the Chinese sentence.
TYPED = {
    "p_i = z_i + ε": (r"ε is not LaTeX; write \epsilon.", r"ε 不是 LaTeX 的写法，应写 \epsilon。"),
    "p_i = α z_i": (r"α is not LaTeX; write \alpha.", r"应写 \alpha。"),
    "p_i = λ z_i": (r"λ is not LaTeX; write \lambda.", None),
    "p_i = ϵ z_i": (r"ϵ is not LaTeX; write \epsilon.", None),
    "p_i = 𝜇 z_i": (r"𝜇 is not LaTeX; write \mu.", None),
    "p_i = 𝑥": (r"𝑥 is not LaTeX; write x.", None),
    "p_i = z_i × 2": (
        r"× is not LaTeX; write \cdot, or \odot for a product of elements.",
        r"应写 \cdot，逐元素相乘写 \odot。",
    ),
    "p_i = z_i ÷ 2": (r"÷ is not LaTeX; write \frac{a}{b} or a / b.", r"应写 \frac{a}{b} 或 a / b。"),
    "p_i = z_i · 2": (r"· is not LaTeX; write \cdot.", None),
    "p_i = z_i − 1": ("− is not LaTeX; write -.", "− 不是 LaTeX 的写法，应写 -。"),
    r"p_i = \sum_{k ≤ i} z_k": (r"≤ is not LaTeX; write \le.", None),
    "p_i = z_i²": ("² is not LaTeX; write ^2.", None),
    "p_i = zᵢ": ("ᵢ is not LaTeX; write _i.", None),
    "p_i = Σ_k z_k": (r"Σ is not LaTeX; write \sum for a sum, \Sigma for a name.", None),
    "p_i = √z_i": (r"√ is not LaTeX; write \sqrt{x}.", None),
    "p_i ＝ z_i": ("＝ is not LaTeX; write =.", None),
    r"p_i = \exp（z_i）": ("（ is not LaTeX; write (.", None),
    "p_i = 分子": (r"分 is not LaTeX; names are letters, such as x, \alpha or \mathrm{loss}.", "名字由字母组成，例如"),
    "p_i = z_i ☃": ("☃ is not LaTeX; delete it or write its macro.", "请删去，或写出它的命令"),
    "p_i = z_i\u200b": ("the invisible character U+200B is not read", "有一个不可见的字符 U+200B，请删去。"),
    "p_i = z_i\0": ("the invisible character U+0000", None),
    "\u202ep_i = z_i": ("the invisible character U+202E", None),
    "p_i = \ue000 z_i": ("the invisible character U+E000", None),
    "p_i = \udc80": ("the invisible character U+DC80", None),
    "p_i = \frac{z_i}{2}": (
        r"Python read the \f of \frac as one character; write r before the string",
        "请在字符串前加 r",
    ),
    "p_i = \theta": (r"Python read the \t of \theta", None),
    "def softmax(z):\n    return z": (
        "this is Python, not LaTeX; pass the function itself",
        "请去掉引号、直接传入函数",
    ),
    "np.exp(z) / np.exp(z).sum()": ("this is Python, not LaTeX", None),
    "": ("the formula is empty; write an expression", "公式是空的"),
    " \n ": ("the formula is empty", None),
    "=": ("the left side is missing: write before = what the formula defines, or leave = out.", "缺少左边"),
    "= z_i": ("the left side is missing", None),
    "p_i =": ("the right side is missing: write after = what it is equal to.", "缺少右边"),
    "p_i = z_i = z_i": ("a formula has one =; write a second formula", "一个公式只有一个 ="),
    r"p_i = \frac{z_i}{": ("the formula ends too early", "公式提前结束"),
    r"p_i = \exp(Z_i)": (
        "Z has no meaning here (did you mean z?); the exercise softmax has V, z",
        "（是不是 z？）；练习 softmax 中有 V、z",
    ),
    "p_i = z_i + q": (
        "q has no meaning here; the exercise softmax has V, z: use these",
        "q 在这里没有含义；练习 softmax 中有",
    ),
    "p_i = z_{j}": ("index j is not bound here", "指标 j 在这里没有取值范围"),
    r"p_i = \sum_{i=1}^{V} z_i": ("index i is already bound here", "指标 i 在这里已经有取值范围"),
    r"p_z = z_z": ("z is an index here, but symbols", "z 在这里是指标，但它另有含义"),
    r"p_e = z_e": ("e is Euler's number here", "e 在这里是自然常数"),
    r"p_i = \sum_{2=1}^{V} z_i": ("is not expected here", "此处不应出现 ="),
    "p_i = 2 * z_i": ("* is not expected here; write a product", r"此处不应出现 *；乘积请直接并写"),
    "p_i = z_i^{2}^2": ("^ is not expected here; two exponents are ambiguous", "两个指数有歧义"),
    "p_i := z_i": (": is not expected here; write = for a definition", "定义请写 ="),
    "p_i = [z_i]": ("[ is not expected here; write parentheses", "写进圆括号"),
    r"p_i = \boldsymbol z_i": (
        r"unknown macro \boldsymbol; write the letter alone",
        r"没有 \boldsymbol 这个命令；应写 单个字母",
    ),
    r"p_i = \exp(z_i) / \sum_{k=1}^{V} \exp(z_k)": (
        r"\sum is not expected here; put what follows / in parentheses, or write \frac{a}{b}",
        r"/ 之后的部分请加括号",
    ),
    r"p_i = \mathrm{softmax}(z)_i": ("_ is not expected here; an index follows a letter: z_i", "下标要紧跟在字母之后"),
    r"\operatorname{softmax}(z)": (r"write the formula of another function", "其他函数请写出它的公式"),
    r"\frac{\exp(z_i)}{\sum_{k=1}^{V} \exp(z_k)} = p_i": (
        r"\exp is not expected here; write before = what the formula defines",
        "= 的左边请写公式定义的量",
    ),
    r"p_i = \sum_{k \in V} z_i": (r"unknown macro \in; write the bounds of the index", "应写 指标的上下界"),
    r"p_i \propto \exp(z_i)": (r"unknown macro \propto; write =", "应写 ="),
    r"p_i = \text{softmax}": (r"words are read only as \text{where }", "文字只能写成"),
    r"p_i = \begin{bmatrix} z_i \end{bmatrix}": ("the environments are aligned, for rows, and cases", "可用的环境只有"),
    r"p_i = \foo z_i": (
        r"unknown macro \foo; a name of your own is \mathrm{foo}",
        r"自己的名字要写成 \mathrm{foo}",
    ),
    "p_i = exp(z_i)": (r"exp(…) is a product of letters; write \exp", r"会被当成几个字母相乘；应写 \exp"),
    "{" * 1000 + "z_i" + "}" * 1000: ("{ is not expected here; write parentheses", None),
    "(" * 1000 + "z_i" + ")" * 1000: ("1,002 levels of parentheses", "嵌套了 1,002 层"),
    "z_i + " * 17_000 + "z_i": (
        "the formula with its definitions is 102,003 characters long",
        "共 102,003 个字符",
    ),
    "z_i + " * 500 + "z_i": ("the formula has 500 sums, differences", "公式共有 500 次加减乘除"),
    r"p_i = z_i \sum_{k=1}^{99999999} 1": (
        "The formula has no value: the evaluation needs",
        "公式无法求值：求值至少需要",
    ),
    "p_i = z_{i+V}": ("The formula has no value", None),
    "p_i = z_2": ("the range of i is unknown", "不知道 i 的取值范围"),
    r"p_i = z_i \sum_{k=0}^{V} z_k": (
        "index 0 of z is outside 1..6; bound the sum",
        "z 的指标 0 超出了范围 1..6；请改变求和的上下界",
    ),
    r"p_i = x z_i \text{where } x = x + 1": ("x is defined by itself", "x 的定义用到了它自己"),
    r"p_i = z_{i/2}": ("expected a whole number here, got 0.5", "此处应为整数，得到 0.5"),
    r"p_i = x_{i-1} \text{where } x_i = z_i": ("x has no entry 0", "x 没有第 0 项"),
}  # fmt: skip


def one_line(reply):
    """The reply as it was before it was broken into lines; a break in Chinese leaves no space."""
    return " ".join(str(reply).split())


@pytest.mark.parametrize("latex", TYPED, ids=range(len(TYPED)))
def test_what_is_typed_gets_its_sentence_in_both_languages(latex):
    english, chinese = TYPED[latex]
    replies = [mg.check.softmax(latex, lang=lang) for lang in ("en", "zh")]
    assert not any(replies)
    assert english in replies[0].says
    assert chinese is None or chinese in replies[1].says
    for reply in replies:
        assert len(reply.says) < 260
        str(reply).encode()
        assert all(sign.isprintable() or sign == "\n" for sign in str(reply))


def told(latex):
    says = mg.check.softmax(latex, lang="en").says
    return re.sub(r"^The formula (can't be read|has no value): ", "", says).rstrip(".")


def test_sentences_of_the_table_are_those_of_the_engine():
    heard = set()
    for text in [*map(told, TYPED), *said_elsewhere()]:
        for words, pattern in zip(refusals.REASONS, refusals._patterns(), strict=True):
            if pattern.fullmatch(text):
                heard.add(words.en)
                break
    assert [words.en for words in refusals.REASONS if words.en not in heard] == []


def said_elsewhere():
    """What is said of other exercises and of derivatives."""
    asked = [
        (mg.check.perplexity, r"P = \exp(\frac{1}{n} \sum_{i=1}^{n} l_i)"),
        (mg.check.self_attention, r"v'_i = v_i \cdot v v_i"),
        (mg.check.self_attention, "v'_i = v_i + v"),
        (mg.check.self_attention, r"v'_i = \sum_{j=1}^{n} v_i v_j"),
        (mg.check.scaled_attention, "o_t = q_t + v_t"),
        (mg.check.lora_linear, "y = W x + B A x"),
        (mg.check.softmax, "p_i = z_{i,1}"),
        (mg.check.softmax, r"p_i = \sum_{1 < 2} z_i"),
    ]
    for check, latex in asked:
        yield re.sub(r"^The formula (can't be read|has no value): ", "", check(latex, lang="en").says).rstrip(".")
    other = mg.check.gradient("head-loss", "W", r"\frac{\partial L}{\partial x_{id}} = x_{id}", lang="en")
    yield re.sub(r"^The formula can't be read: ", "", other.says).rstrip(".")


def test_every_phrase_is_filled_in_by_the_engine():
    known = [
        *characters._WRITTEN.values(),
        characters._NAMES,
        *hints.MACROS.values(),
        hints.TURNED,
        *(hint for *_, hint in hints.MISREAD),
    ]
    source = (
        " ".join(map(str, known))
        + " delete it or write its macro bound the sum, declare a shorter shape or write cases"
    )
    assert [phrase for phrase in refusals.REASON_PARTS if phrase not in source] == []


def test_what_the_table_lacks_is_quoted():
    assert refusals.why("something new", "zh") == "（原文：something new）"
    assert refusals.why("something new", "en") == ": something new"
    reply = mg.check.softmax(r"p_i = \lVert z \rVert^2_2", lang="zh")
    assert reply.says.startswith("公式无法读取：此处不应出现 _；（原文：write the index of a norm before its exponent")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize(
    "latex",
    [
        r"p_i = <script>alert(1)</script>",
        r"p_i = z_i \text{<script>alert(1)</script>}",
        r"p_i = \mathrm{<img src=x onerror=alert(1)>}_i",
        r'p_i = " onmouseover="alert(1) &lt;b&gt;',
        r"</pre><script>alert(1)</script>",
        r"p_i = \foo<script>",
        r"p_i = z_i < z_i",
    ],
)
def test_what_was_typed_is_no_html(latex):
    for lang in ("en", "zh"):
        reply = mg.check.softmax(latex, lang=lang)
        page = Tags()
        page.feed(reply._repr_html_() + "".join(hint._repr_html_() for hint in reply.hints))
        names = {tag for tag, _ in page.tags}
        assert names <= {"style", "section", "p", "strong", "pre", "details", "summary", "mark"}
        assert {name for _, attrs in page.tags for name in attrs} <= {"class", "lang", "role", "tabindex"}
        assert latex.rstrip(";") in "".join(page.texts) or reply.parts == ()


@pytest.mark.parametrize(
    "around",
    [
        "\ufeff{}",
        " {}\n",
        "${}$",
        "$$ {} $$",
        r"\[ {} \]",
        r"\( {} \)",
        "{}.",
        "{} 。",
        r"{} \, .",
        r"{} \tag{{1}}",
        r"\label{{eq:softmax}} {} \nonumber",
        r"\displaystyle {}",
        "{} % the softmax",
        r"\begin{{align*}} {} \\ \end{{align*}}",
        r"$$\begin{{gather}} {}. \end{{gather}}$$",
        "\ufeff\\begin{{equation*}}\n{}\n\\end{{equation*}}",
    ],
)
def test_what_a_page_or_a_file_has_around_a_formula_is_left_out(around):
    assert mg.check.softmax(around.format(SOFTMAX), lang="en")


def test_a_formula_from_a_file_with_a_byte_order_mark_is_read(tmp_path):
    file = tmp_path / "formula.txt"
    file.write_text(SOFTMAX, encoding="utf-8-sig")
    assert mg.check.softmax(file.read_text(encoding="utf-8"), lang="en")
    assert mg.check.gradient("cross-entropy-from-logits", "z", "\ufeffp_i - y_i", lang="en")
    assert mg.equal("\ufeffa b", "b a")


def test_a_result_without_axes_is_compared_not_raised():
    assert as_function(mg.check.softmax.exercise, "y = z_1")(torch.ones(5)) == 1


@pytest.mark.parametrize("part", [" .", "\\", r"\quad", "\\\\ ", r"\tag{", r"\begin{aligned}", r"\end{aligned}"])
def test_what_is_around_a_formula_is_left_out_in_bounded_time(part):
    start = time.process_time()
    for n in (9_000 // len(part), 300_000):
        undelimited("y = " + n * part + "x")
    assert time.process_time() - start < 2
