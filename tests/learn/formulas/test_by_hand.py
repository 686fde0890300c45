from collections import Counter

import pytest
from derivations import RIGHT, SLIPS

from minigpt.equations import EquationError
from minigpt.learn.exercises.exercise import MISTAKE_KINDS
from minigpt.learn.formulas import gradient


@pytest.mark.parametrize(("equation", "symbol", "latex"), RIGHT)
def test_a_right_derivative_is_accepted_in_any_form(equation, symbol, latex):
    reply = gradient(equation, symbol, latex, lang="en")
    assert reply, str(reply)
    assert reply.id == "right"


@pytest.mark.parametrize(("equation", "symbol", "latex", "slip"), SLIPS)
def test_a_classic_slip_is_refused_and_named_with_its_first_place(equation, symbol, latex, slip):
    reply = gradient(equation, symbol, latex, lang="en")
    assert not reply
    assert reply.id == f"gradient.{slip}", str(reply)
    assert reply.kind in ("", *MISTAKE_KINDS)
    assert reply.hints == () and reply.solutions == ()
    place = reply.parts[-1].text.splitlines()[-1]
    assert ("yours" in place) and ("the derivative" in place)


def test_there_are_30_right_derivatives_of_10_equations_and_60_slips(capsys):
    assert len(RIGHT) >= 30
    assert len({equation for equation, *_ in RIGHT}) >= 10
    assert len(SLIPS) >= 60
    with capsys.disabled():
        print(f"\n{len(RIGHT)} right derivatives of {len({equation for equation, *_ in RIGHT})} equations are accepted")
        print(f"{len(SLIPS)} slips are refused, each with its first place:")
        for slip, n in Counter(slip for *_, slip in SLIPS).most_common():
            print(f"  {slip:14} {n:3}")


def test_the_place_is_that_of_the_smallest_example_with_both_values():
    reply = gradient("cross-entropy-from-logits", "z", r"2 (p_i - y_i)", lang="en")
    assert str(reply).splitlines()[0] == "∂L/∂z: not right yet. The factor 2 is too much."
    *inputs, place = reply.parts[-1].text.splitlines()
    assert inputs == ["z = [-2, 2]", "c = 1"]
    p = 1 / (1 + 2.718281828459045**4)
    assert place == f"∂L/∂z_1: yours {2 * (p - 1):.5g}, the derivative {p - 1:.5g}"


def test_the_reply_is_also_in_chinese():
    assert "符号" in str(gradient("cross-entropy-from-logits", "z", r"y_i - p_i", lang="zh"))
    assert "正确" in str(gradient("cross-entropy-from-logits", "z", r"p_i - y_i", "zh"))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("cross-entropy-from-logits", "z", "q_i"), EquationError, "q has no meaning here"),
        (("cross-entropy-from-logits", "z", "p_i -"), EquationError, "ends too early"),
        (
            ("cross-entropy-from-logits", "c", "p_i"),
            ValueError,
            "'c', which is a whole number: .*; it has one for each of z",
        ),
        (("cross-entropy-from-logit", "z", "p_i"), ValueError, "did you mean cross-entropy-from-logits"),
        (("softmax", "z", 5), ValueError, "latex must be a text, got 5; such as gradient"),
        (("softmax", None, "p_i"), ValueError, "symbol must be a text, got None"),
        ((None, "z", "p_i"), ValueError, "equation must be a text, got None"),
        (("attention-pairs", "T", "1"), ValueError, "to 'T', which is a whole number: .* it has one for each of w$"),
        (("rope-linear", "E", "1"), ValueError, "respect to 'E', which is a whole number"),
        (("online-softmax", "m", "1"), ValueError, "online-softmax can't be differentiated with respect to 'm': index"),
        (("head-loss", "W", r"\frac{\partial L}{\partial x_{id}} = x_{id}"), EquationError, "is another derivative"),
        (("softmax", "z", r"\sum_{k=1}^{99999999} p_i p_j"), EquationError, "at most"),
    ],
)
def test_what_cannot_be_answered_is_an_error(arguments, error, says):
    with pytest.raises(error, match=says) as raised:
        gradient(*arguments)
    assert raised.type is error


@pytest.mark.parametrize("where", ["abc", [5], None])
def test_definitions_that_are_no_list_of_texts_are_refused(where):
    with pytest.raises(ValueError, match="where must be a list of texts"):
        gradient("softmax", "z", "p_i", where=where)
