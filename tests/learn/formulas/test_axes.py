from types import SimpleNamespace

import pytest

import minigpt as mg
from minigpt.equations import EquationError
from minigpt.learn.formulas import as_function, gradient

BIGRAMS = r"\frac{\alpha + c_{%s}}{\alpha V + \sum_{r} c_{%s}}"
WITHOUT_LEFT_SIDE = [
    ("causal_mask", r"\mathbb{1}[s \le t + S - T]"),
    ("causal_mask", r"\mathbb{1}[s - t \le S - T]"),
    ("causal_mask", r"\mathbb{1}[t + S - T \ge s]"),
    ("causal_mask", r"\mathbb{1}[b \le a + S - T]"),
    ("causal_mask", r"\mathbb{1}[a \le b + S - T]"),
    ("bigram_probabilities", BIGRAMS % ("uw", "ur")),
    ("bigram_probabilities", BIGRAMS % ("ba", "br")),
    ("attention_weights", r"\frac{\exp(v_j \cdot v_i)}{\sum_{k} \exp(v_k \cdot v_i)}"),
    ("attention_weights", r"\frac{\exp(v_b \cdot v_a)}{\sum_{k} \exp(v_k \cdot v_b)}"),
    ("attention_weights", r"\frac{\exp(v_b \cdot v_a)}{\sum_{k} \exp(v_k \cdot v_a)}"),
    (
        "self_attention",
        r"\sum_{j} v_{jc} a_{ij} \text{where } a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k} \exp(v_i \cdot v_k)}",
    ),
    ("lora_linear", r"\sum_{d} W_{jd} x_{nd} + \frac{\alpha}{r} \sum_{k,d} B_{jk} A_{kd} x_{nd}"),
]


@pytest.mark.parametrize(("name", "latex"), WITHOUT_LEFT_SIDE)
def test_the_axes_of_a_right_expression_are_found(name, latex):
    assert getattr(mg.check, name)(latex)


def test_letters_of_the_exercise_are_in_its_order():
    over_rows = r"\frac{\exp(v_j \cdot v_i)}{\sum_{k} \exp(v_k \cdot v_j)}"
    assert not mg.check.attention_weights(over_rows)


@pytest.mark.parametrize(
    ("lang", "says"), [("en", "The formula was read as m_{ba}."), ("zh", "公式按 m_{ba} 来理解。")]
)
def test_how_a_wrong_expression_was_read_is_said(lang, says):
    reply = mg.check.causal_mask(r"\mathbb{1}[b < a + S - T]", lang=lang)
    assert not reply
    assert says in str(reply)


def test_a_wrong_expression_in_the_letters_of_the_exercise_needs_no_note():
    assert "was read as" not in str(mg.check.causal_mask(r"\mathbb{1}[s < t + S - T]"))


def test_a_letter_without_a_meaning_is_no_index_of_the_result():
    with pytest.raises(EquationError, match="n has no meaning here; the exercise softmax has V, z"):
        as_function(SimpleNamespace(name="softmax"), r"\frac{\exp(z_i)}{\sum_{k=1}^{n} \exp(z_k)}")
    with pytest.raises(EquationError, match="r has no meaning here; rms-norm has"):
        gradient("rms-norm", "x", r"\frac{g_i}{r} (\mathbb{1}[i = j] - x_i x_j)")
