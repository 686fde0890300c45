import contextlib
import dataclasses

import formulas_training  # noqa: F401 - registers its oracles
import pytest
from formulas import FORMULAS
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from minigpt.equations import Equation, EquationError


def refusal(latex, where=(), **symbols):
    """The message, and the part of the LaTeX from the caret on."""
    with pytest.raises(EquationError) as caught:
        _ = Equation("under test", latex, where, symbols).document
    message, line, caret = str(caught.value).split("\n")
    return message, line[caret.index("^") :]


def test_an_unknown_macro_is_named_and_pointed_at():
    assert refusal(r"y = \foo{x}") == (r"unknown macro \foo; a name of your own is \mathrm{foo}", r"\foo{x}")


def test_a_macro_that_begins_like_a_known_one_is_unknown():
    assert refusal(r"y = x \cdotsum y") == (
        r"unknown macro \cdotsum; a name of your own is \mathrm{cdotsum}",
        r"\cdotsum y",
    )


def test_an_index_that_nothing_binds_is_refused():
    message, place = refusal(r"y_i = a_{ij}")
    assert message.startswith("index j is not bound")
    assert place == "j}"


def test_a_sum_does_not_bind_its_own_bound():
    message, place = refusal(r"y = \sum_{k=1}^{k} x_k")
    assert message.startswith("index k is not bound")
    assert place == "k} x_k"


def test_an_index_bound_in_another_row_is_not_bound_here():
    assert refusal(r"y = m_j", [r"m_i = \sum_{j} x_{ij}"])[0].startswith("index j is not bound")


def test_shadowing_an_index_is_refused():
    assert refusal(r"y_i = \sum_{i} x_i")[1] == "_{i} x_i"


def test_an_index_may_not_be_a_declared_name():
    message = "k is an index here, but symbols or another row give it a meaning too; rename one of them"
    assert refusal(r"y = \sum_{k} x_k", k="() a number") == (message, "_{k} x_k")
    assert refusal(r"y_k = x_k", k="() a number")[0] == message


def test_an_index_may_not_be_part_of_a_name_in_its_scope():
    message, place = refusal(r"y = \sum_k d_k x_k", d_k="() width")
    assert "part of the name d_k" in message
    assert place == "d_k x_k"


@pytest.mark.parametrize(
    ("latex", "place"),
    [
        (r"a = \log p y", "y"),
        (r"a = \sin x y", "y"),
        (r"a = \log x \cdot y", r"\cdot y"),
        (r"a = b/c d", "d"),
        (r"a = x^T", "T"),
        (r"a = x^{(l)}", "(l)}"),
        (r"a = 2 x 3", "3"),
        (r"a = x_{\text{in}}", r"\text{in}}"),
        (r"a = \operatorname{foo}(x)", r"\operatorname{foo}(x)"),
        (r"a = exp(x)", "exp(x)"),
        (r"a = \left( x )", ")"),
        (r"a = b \\ c = d", r"\\ c = d"),
        (r"a = \frac{x}", ""),
        (r"a = (x", ""),
    ],
)
def test_what_is_ambiguous_or_malformed_is_refused_at_its_character(latex, place):
    assert refusal(latex)[1] == place


def test_an_error_in_a_where_definition_shows_that_line():
    assert refusal("y = m", [r"m = \foo"])[1] == r"\foo"


def test_a_declared_name_with_a_subscript_goes_before_indices():
    symbols = {r"\theta_{t-1}": "(d) before", r"\theta": "(n, d) all"}
    eq = Equation("names", r"y_i = \theta_{t-1} + \theta_i", (), symbols)
    assert {r"\theta_{t-1}", r"\theta"} <= set(eq.inputs.values())


def test_the_longest_declared_name_wins():
    eq = Equation("names", "y = g(g_t)", (), {"g": "function", "g_t": "() gradient"})
    assert eq.evaluate(g=lambda x: x + 1, g_t=2) == 3


def test_a_declared_function_does_not_hide_the_rest_of_a_longer_macro():
    assert refusal(r"y = \sigmax(z)", **{r"\sigma": "function"}) == (
        r"unknown macro \sigmax; write \sigma",
        r"\sigmax(z)",
    )


def test_letters_in_a_row_are_indices_and_a_product_with_a_number_is_one():
    eq = Equation("indices", r"y_{ij} = a_{h,ij} + x_{2i+1}", (), {"h": "() head"})
    arrays = {str(node.children[0]): len(node.children) - 1 for node in eq.document.tree.find_data("array")}
    assert (arrays["a"], arrays["x"], arrays["y"]) == (3, 1, 2)


def test_a_declared_name_may_begin_like_a_function():
    eq = Equation("t", r"\eta(t) = \eta_{\max} t", symbols={r"\eta_{\max}": "() peak"})
    assert eq.evaluate(t=3, eta_max=2) == 6


def test_a_parameter_may_be_a_greek_letter():
    eq = Equation("t", r"f(\tau) = d_k \tau", symbols={"d_k": "() width"})
    assert eq.evaluate(tau=3, d_k=2) == 6


def test_rows_of_one_name_must_have_equally_many_indices():
    assert "the rows of a differ in how many indices" in refusal(r"a_i = x_i", [r"a_{ij} = x_i x_j"])[0]


def test_a_name_followed_by_parentheses_is_a_product_unless_it_is_a_declared_function():
    product = Equation("product", "y = f(x)")
    call = Equation("call", "y = f(x)", (), {"f": "function anything"})
    assert product.evaluate(f=2, x=3) == 6
    assert call.evaluate(f=lambda x: x - 5, x=3) == -2


WORDS = r"""
a b x_i x_{ij} y_{t-k+1} e \theta \theta_t d_k W^{Q} f f(x) 0 2 10^7 1.5 + - = , & < > ( ) { } [ ] | ^ ^2 _ _i ^\top
^{-1} \cdot \odot / \bmod \frac{1}{2} \frac{ \sqrt{ \exp \log_{10} \log_2 \ln \sin^2 \max \min \| || ' * \sum_i
\sum_{i,j} \sum_{i=1}^{n} \sum_{i<n} \arg\max_i \arg \lVert \rVert \rVert_1 \lvert \rvert \mid \le \ne \left( \right)
\left| \right| \lceil \rceil \mathbb{1}[ \begin{aligned} \end{aligned} \\ \foo \text{ ∑ é \partial
"""
PIECES = st.sampled_from([*WORDS.split(), "\n\\text{where } ", "\\text{if } ", "\uf800", "\ue000", ""])
SYMBOLS = {r"\theta_t": "(n) names", "d_k": "() width", "W^{Q}": "(n, d_k) matrix", "f": "function", "x": "(n)"}
property_test = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def is_evaluated_or_refused(eq, given):
    with contextlib.suppress(EquationError):
        assert eq.document
        assert eq.evaluate(**{name: value for name, value in given.items() if name in eq.inputs}) is not None
        assert str(eq)
    assert eq._repr_latex_()
    return True


@property_test
@given(st.lists(PIECES, max_size=14), st.booleans())
def test_any_text_is_evaluated_or_refused_with_one_kind_of_error(pieces, has_left_side):
    assert is_evaluated_or_refused(Equation("text", "y = " * has_left_side + " ".join(pieces), (), SYMBOLS), {})


@property_test
@given(st.sampled_from(sorted(FORMULAS)), st.floats(0, 1), st.integers(0, 4), PIECES)
def test_a_formula_with_a_piece_put_into_it_is_evaluated_or_refused(cases, name, place, n_removed, piece):
    eq, inputs = FORMULAS[name], cases(name)[0][0]
    assume(not any(map(callable, inputs.values())))  # a function of the test's own has errors of its own
    at = int(place * len(eq.latex))
    changed = dataclasses.replace(eq, latex=eq.latex[:at] + piece + eq.latex[at + n_removed :])
    assert is_evaluated_or_refused(changed, inputs)
