"""minigpt/cost/estimates.py: the figures are those of the parts, in one report."""

import json
import pickle
import re

import numpy as np
import pytest
from test_machine import machine

import minigpt as mg
from minigpt.cost import StepPlan, count_parameters, peak_bytes
from minigpt.cost.hardware import DEFAULT_MFU, Site
from minigpt.settings.language import columns_of


def test_the_names_that_programs_read():
    made = mg.estimate("gpt2", 300e9, "8xH100")
    assert made.parameters == 124_439_808
    assert made.training_flops == 300e9 * mg.training_flops_per_token(mg.GPTConfig.preset("gpt2"), 1024)
    assert made.seconds == pytest.approx(made.training_flops / (8 * 989e12 * DEFAULT_MFU))
    assert made.dollars == pytest.approx(8 * made.seconds / 3600 * 2.69)
    assert made.memory > 16 * made.parameters
    assert pickle.loads(pickle.dumps(made)) == made


def test_what_is_given_wins_over_what_is_assumed():
    plan = StepPlan(n_positions=512, recomputed=True, precision="bf16")
    site = Site(pue=2.0, kg_per_kwh=1.0, source="here")
    made = mg.estimate("gpt2", 1e9, "A100", price=1.0, mfu=0.5, plan=plan, site=site)
    usual = mg.estimate("gpt2", 1e9, "A100")
    assert made.training_flops < usual.training_flops and made.memory < usual.memory
    assert made.seconds == pytest.approx(made.training_flops / (312e12 * 0.5))
    assert made.dollars == pytest.approx(made.seconds / 3600)
    assert made.bill.kilograms == made.bill.kilowatt_hours == pytest.approx(made.seconds / 3600 * 0.4 * 2)


def test_without_tokens_it_is_as_many_as_are_best_and_without_hardware_there_is_no_time():
    made = mg.estimate(mg.GPTConfig.preset("nano", vocab_size=65))
    assert 15 < made.tokens / made.parameters < 25 and made.are_best
    assert (made.seconds, made.dollars, made.bill) == (None, None, None)
    assert "Chinchilla" in str(made) and "time" not in str(made)


def test_a_published_model_is_known_by_name():
    assert mg.estimate("llama3.1-8b").parameters == count_parameters(mg.estimate("llama3.1-8b").config).total
    with pytest.raises(ValueError, match=r"model='gpt-2' is unknown.*did you mean gpt2"):
        mg.estimate("gpt-2")


def test_a_device_without_a_price_has_a_time_and_asks_for_one():
    made = mg.estimate("gpt2", 1e9, "L4")
    assert made.seconds > 0 and made.dollars is None and made.to_object()["bill"]["dollars"] is None
    assert "give dollars an hour as price" in str(made)
    assert mg.estimate("gpt2", 1e9, "L4", price=0.5).dollars == pytest.approx(made.bill.device_hours / 2)
    assert "energy" not in str(mg.estimate("gpt2", 1e9, "TPU-v5e"))


@pytest.mark.parametrize(("on", "precision"), [("A100", "bf16"), ("V100", "fp16"), ("M1-Max", "fp32"), (None, "fp32")])
def test_time_and_memory_are_of_one_precision(on, precision):
    made = mg.estimate("gpt2", 1e9, on)
    config = mg.GPTConfig.preset("gpt2")
    plan = StepPlan(n_positions=1024, precision=precision)
    assert made.memory == 12 * made.parameters + peak_bytes(config, plan, 1)
    assert f"1 sequence at once, {precision}" in str(made)
    assert on is None or f"{precision} peak" in str(made)


def test_the_parts_of_the_memory_add_up():
    made = mg.estimate("gpt2", 300e9, "8xH100")
    note = next(note for name, _, note in made.rows() if name == "memory")
    sizes = [float(size) for size in re.findall(r"([\d.]+) MB", note)]
    assert len(sizes) == 4 and sum(sizes) == pytest.approx(made.memory / 1e6, rel=2e-3)


@pytest.mark.parametrize("on", ["8xH100", "L4", "M1-Max", None])
@pytest.mark.parametrize("name", ["gpt2", "gpt3-175b"])
def test_the_table_fits_into_80_columns(name, on):
    made = mg.estimate(name, 300e9, on)
    assert max(map(len, str(made).splitlines())) <= 80
    words = " ".join(str(made).split())
    assert all(note in words for _, _, note in made.rows())


def test_small_and_large_figures_are_shown_plainly():
    shown = str(mg.estimate("gpt2", 300e9, "8xH100"))
    assert "2,411 a parameter" in shown and "e+03" not in shown
    tiny = str(mg.estimate(mg.GPTConfig(vocab_size=9), 1e6, "H100"))
    assert "< $0.01" in tiny and " mWh  " in tiny


@pytest.mark.parametrize("on", ["8xH100", "L4", "M1-Max", None])
@pytest.mark.parametrize("name", ["gpt2", "gpt3-175b"])
def test_the_table_is_in_the_language_of_the_locale(name, on, monkeypatch):
    made = mg.estimate(name, 300e9, on)
    english, figures = made.rows(), made.to_json()
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    text, chinese = str(made), made.rows()
    assert max(map(columns_of, text.splitlines())) <= 80 and made.to_json() == figures
    assert chinese[1][0] == "参数量" and "优化器状态" in text and '<table lang="zh-CN">' in made._repr_html_()
    words = re.sub(r"\s", "", text)
    assert all(re.sub(r"\s", "", note) in words for _, _, note in chinese)
    for before, after in zip(english, chinese, strict=True):
        for part, other in zip(before, after, strict=True):
            assert sorted(re.findall(r"[\d.,]*\d%?", part)) == sorted(re.findall(r"[\d.,]*\d%?", other))
    left = re.findall(r"[a-z]{3,}", re.sub(r"bf16|fp16|fp32|kWh|price", "", text))
    assert left == []


def test_json_and_html_have_the_figures_of_the_table():
    made = mg.estimate("gpt2", 300e9, "8xH100")
    figures = json.loads(made.to_json())
    assert (figures["parameters"], figures["seconds"], figures["on"]) == (124_439_808, made.seconds, "8 × H100")
    html = made._repr_html_()
    for row in made.rows():
        assert all(cell in html or "'" in cell for cell in row)
    assert "<script" not in html and len(html) < 5000
    assert html.count('<th scope="row"') == len(made.rows())
    assert mg.estimate(mg.GPTConfig(vocab_size=9)).rows()[0][1] in str(mg.estimate(mg.GPTConfig(vocab_size=9)))


@pytest.mark.parametrize("on", ["H100", "RTX-4090", machine()])
def test_the_most_tokens_at_the_highest_price_have_finite_figures(on):
    given = {"price": 1e9, "mfu": 1e-9, "site": Site(pue=100, kg_per_kwh=100)} if isinstance(on, str) else {}
    made = mg.estimate("gpt3-175b", np.float64(1e30), on, **given)
    json.loads(made.to_json(), parse_constant=pytest.fail)
    assert not re.search(r"\b(inf|nan)\b", str(made))


def test_a_site_out_of_its_range_and_no_model_are_refused():
    for wrong in ({"pue": float("inf")}, {"pue": 0.5}, {"pue": "1.1"}, {"kg_per_kwh": -1.0}, {"kg_per_kwh": 1e308}):
        with pytest.raises(ValueError, match=r"pue|kg_per_kwh"):
            Site(**wrong)
    with pytest.raises(ValueError, match="model must be one of"):
        mg.estimate(5)
    with pytest.raises(ValueError, match="n_sequences=True must be a whole number"):
        StepPlan(n_positions=8, n_sequences=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": 0}, "tokens must be a number above 0, got 0"),
        ({"tokens": float("inf")}, "tokens must be a number above 0, got inf"),
        ({"tokens": "many"}, "tokens must be a number above 0, got 'many'"),
        ({"on": "8xH10"}, "the hardware '8xH10' is unknown"),
        (
            {"on": "this machine"},
            r"has no fixed speed; to measure this machine, pass on=minigpt",
        ),
        ({"price": -1.0}, "price must be a number above 0"),
        ({"on": "A100", "mfu": 43}, r"mfu=43 must lie in \[1e-09, 1\].*; did you mean 0\.43\?"),
        ({"on": "A100", "mfu": 1e-300}, r"mfu=1e-300 must lie in"),
        ({"on": "A100", "mfu": "0.4"}, "mfu must be float"),
        ({"on": "A100", "mfu": True}, "mfu must be float"),
        ({"on": "A100", "price": 1e308}, r"price must be a number above 0, got 1e\+308; the largest is 1e\+09"),
        ({"on": "A100", "tokens": 1e300}, r"tokens must be a number above 0, got 1e\+300; the largest is 1e\+30"),
        ({"on": "A100", "tokens": 10**400}, "tokens must be a number above 0"),
        ({"on": "A100", "plan": 3}, "plan must be a minigpt.cost StepPlan, got 3"),
        ({"on": "A100", "site": "Paris"}, "site must be a minigpt.cost Site"),
        ({"on": 8}, "hardware must be a name such as '8xH100', got 8"),
        ({"price": 3}, "price has no effect without hardware; name it"),
        ({"mfu": DEFAULT_MFU}, "mfu has no effect without hardware"),
        ({"site": Site()}, "site has no effect without hardware"),
        ({"on": machine(), "price": 3}, "price has no effect on a measured machine"),
        ({"on": machine(), "mfu": 0.4}, "mfu has no effect on a measured machine"),
        ({"on": machine(), "site": Site()}, "site has no effect on a measured machine"),
        ({"cost": 3}, "estimate has no argument 'cost'; it has config, tokens, on, price, mfu, plan, site"),
    ],
)
def test_what_can_not_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        mg.estimate("gpt2", **arguments)


@pytest.mark.parametrize("tokens", [164e9, 1.6e12])
def test_many_hours_of_one_device_are_shown_without_an_exponent(tokens):
    made = mg.estimate("llama3.1-8b", tokens, "8xH100")
    assert made.bill.device_hours > 1e4 and f" {round(made.bill.device_hours):,} hours of one device" in str(made)
