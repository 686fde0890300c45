import re
from xml.etree import ElementTree

import pytest

import minigpt as mg
from minigpt.equations import Equation
from minigpt.equations.explorer.mathml import Typesetter, name
from minigpt.equations.explorer.speech import CHINESE, ENGLISH, SPEECHES
from minigpt.equations.explorer.spoken import spoken, spoken_name

WORDS = "math mrow mi mo mn mtext mfrac msub msup msubsup mover munder munderover mtable mtr mtd"
KNOWN = set(WORDS.split())
ARITY = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "mover": 2, "munder": 2, "munderover": 3}


def rows():
    return [(equation.name, row) for equation in mg.equations.all() for row in equation.document.tree.children]


@pytest.mark.parametrize(("_name", "row"), rows(), ids=[each for each, _ in rows()])
def test_every_row_of_the_registry_is_well_formed_mathml(_name, row):
    tree = ElementTree.fromstring(Typesetter().math(row))
    for element in tree.iter():
        assert element.tag in KNOWN
        assert len(element) == ARITY.get(element.tag, len(element)), ElementTree.tostring(element)
        assert not re.search(r"[\\{}$]", (element.text or "").replace("{", "" if element.tag == "mo" else "{"))


def letters(markup):
    """The text of MathML without its tags, fences and invisible signs."""
    return "".join(ElementTree.fromstring(f"<x>{markup}</x>").itertext()).replace("\u2062", "")


def typeset(latex, **symbols):
    return Typesetter().node(Equation("x", latex, symbols=symbols).document.tree.children[0])


@pytest.mark.parametrize(
    ("latex", "symbols", "shown"),
    [
        (r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}", {"v": "(n, d)"},
         "aij=exp(vi·vj)∑k=1nexp(vi·vk)"),
        (r"y_t = \begin{cases} x_{t-1} & \text{if } t \ge 2 \\ 0 & \text{otherwise} \end{cases}", {"x": "(T)"},
         "yt={xt−1if t≥20otherwise"),
        (r"z = \lVert x \rVert_1 + \lvert a \rvert - \sqrt{2} \max_i x_i", {"x": "(n)"}, "z=‖x‖1+|a|−√2maxixi"),
    ],
)  # fmt: skip
def test_a_formula_is_typeset_as_it_is_written(latex, symbols, shown):
    assert letters(typeset(latex, **symbols)) == shown


@pytest.mark.parametrize(
    ("latex", "markup"),
    [
        ("W^{Q}", "<msup><mi>W</mi><mi>Q</mi></msup>"),
        (r"\theta_{t-1}", "<msub><mi>θ</mi><mrow><mi>t</mi><mo>-</mo><mn>1</mn></mrow></msub>"),
        (r"\mathrm{softmax}", "<mi>softmax</mi>"),
        ("v'", "<msup><mi>v</mi><mo>′</mo></msup>"),
        (r"\sigma^2", "<msup><mi>σ</mi><mn>2</mn></msup>"),
        (r"\eta_{\max}", "<msub><mi>η</mi><mi>max</mi></msub>"),
    ],
)
def test_a_name_has_its_scripts(latex, markup):
    assert name(latex) == markup


def test_marks_are_attributes_of_symbols_and_signs_alone():
    tree = Equation("x", r"y = \sum_{i=1}^{n} x_{i}", symbols={"x": "(n)"}).document.tree.children[0]
    marked = Typesetter(lambda node: f' class="{node.data}"').node(tree)
    assert re.findall(r'<(\w+) class="(\w+)"', marked) == [
        ("mrow", "array"),
        ("mrow", "reduce"),
        ("mrow", "array"),
    ]


def test_a_formula_is_read_aloud():
    assert spoken(mg.attention_weights.equation.document.tree.children[0]) == (
        "a sub i j equals the fraction exp of v sub i dot v sub j over the sum over k from 1 to n of exp of "
        "v sub i dot v sub k, end of fraction,"
    )


def test_a_formula_is_read_aloud_in_chinese():
    assert spoken(mg.attention_weights.equation.document.tree.children[0], CHINESE) == (
        "a 下标 i j 等于 分式，分子 exp 作用于 v 下标 i 点乘 v 下标 j，"
        "分母 对 k 从 1 到 n 求和 exp 作用于 v 下标 i 点乘 v 下标 k，分式结束"
    )


def test_a_name_is_read_aloud_in_both_languages():
    latex = r"\frac{\partial L}{\partial \theta_{t-1}}"
    assert spoken_name(latex) == "derivative of L with respect to theta sub t minus 1"
    assert spoken_name(latex, CHINESE) == "L 对 theta 下标 t 减 1 的导数"
    assert spoken_name(r"\hat{m}", CHINESE) == "m 帽"


def test_both_languages_have_words_for_the_same():
    for table in ("forms", "reductions", "relations", "signs", "accents"):
        assert getattr(ENGLISH, table).keys() == getattr(CHINESE, table).keys()


@pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)
@pytest.mark.parametrize(("_name", "row"), rows(), ids=[each for each, _ in rows()])
def test_every_row_can_be_read_aloud_without_latex(_name, row, speech):
    words = spoken(row, speech)
    assert not re.search(r"[\\{}_^$]", words)
    if speech is CHINESE:
        assert not re.search(r"\b(of|over|sub|super|minus|plus|times|the|end|if)\b", words)
