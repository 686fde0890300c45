"""minigpt/cost/budget.py: what a sentence asks for, and which model learns most in the time."""

import pytest
from test_machine import machine

from minigpt.cost import estimate, parse_budget, plan_budget
from minigpt.cost.hardware import parse_hardware
from minigpt.settings.language import columns_of


@pytest.mark.parametrize(
    ("text", "seconds", "on"),
    [
        ("tonight on this laptop", 8 * 3600, None),
        ("Overnight", 8 * 3600, None),
        ("90 minutes on this machine", 5400, None),
        ("an hour here on 8xH100", None, None),
        ("1 hour on 8xH100", 3600, "8 × H100"),
        ("2.5 days on RTX 4090", 2.5 * 86400, "RTX-4090"),
        ("a day on this-machine", 86400, None),
        ("a week on my computer", 7 * 86400, None),
        ("ten hours", 36000, None),
        ("Twelve Minutes on H100", 720, "H100"),
        ("a month", 30 * 86400, None),
        ("2 weeks on 2xH100", 14 * 86400, "2 × H100"),
        ("three months on this machine", 90 * 86400, None),
        ("half an hour", 1800, None),
        ("two nights", 2 * 8 * 3600, None),
        ("a night on H100", 8 * 3600, "H100"),
        ("2h", 7200, None),
        ("45 mins", 2700, None),
        ("TONIGHT ON H100", 8 * 3600, "H100"),
        ("2 Hours  On 2 H100", 7200, "2 × H100"),
        ("one year", 365.25 * 86400, None),
    ],
)
def test_a_budget_is_a_time_and_a_place(text, seconds, on):
    if seconds is None:
        with pytest.raises(ValueError, match="can't be read; expected a time and a place, such as 'tonight"):
            parse_budget(text)
        return
    budget = parse_budget(text)
    assert budget.seconds == seconds
    assert (None if budget.on is None else str(budget.on)) == on


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "10 moons",
        "tenhours",
        "a",
        "anhour",
        "thirteen hours",
        "hours",
        "half hour",
        "ten\nhourss",
        "0 hours",
        "99999 days",
        "-3 hours",
        "x" * 10**6,
        "3 hours on Z9",
    ],
)
def test_what_can_not_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r"budget|hardware") as raised:
        parse_budget(text)
    said = str(raised.value)
    assert len(said) < 500 and (
        "can't be read" not in said or "'ten hours', '2 weeks on 8xH100' or 'a month on" in said
    )


def test_the_best_is_the_one_whose_tokens_fit_its_size():
    plan = plan_budget(3600, parse_hardware("A100"))
    balances = [candidate.balance for candidate in plan.candidates]
    assert balances == sorted(balances, reverse=True)  # the larger, the fewer tokens fit
    assert max(plan.best.balance, 1 / plan.best.balance) == min(max(b, 1 / b) for b in balances)
    assert plan.best.estimate.seconds == pytest.approx(3600)
    assert str(plan).count("compute-optimal") == 1
    assert max(map(len, str(plan).splitlines())) <= 80
    assert plan.to_object()["best"] == plan.best.name
    longer = plan_budget(36000, parse_hardware("A100"))
    assert longer.best.estimate.parameters > plan.best.estimate.parameters


def test_presets_have_their_names():
    names = [candidate.name for candidate in plan_budget(3600, parse_hardware("A100")).candidates]
    assert {"nano", "micro", "gpt2", "gpt2-xl"} <= set(names) and "8 × 512" in names


def test_a_measured_machine_is_filled_too():
    slow = machine(products=((100.0, 1e11),), block=1e-4)
    plan = plan_budget(600, slow, vocab_size=65, context_length=64)
    assert plan.best.estimate.seconds == pytest.approx(600)
    assert "vocabulary 65, context 64 (--vocab-size, --context-length)\nmodel " in str(plan)
    assert plan.best.estimate.on is slow and plan.best.estimate.config.vocab_size == 65


def test_the_plan_is_printed_in_the_language_of_the_locale(monkeypatch):
    plan = plan_budget(3600 * 30, parse_hardware("A100"))
    english = str(plan).splitlines()
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    chinese = str(plan).splitlines()
    assert chinese[0] == "30 小时，使用 A100" and chinese[2].split() == ["模型", "参数量", "词元", "最优"]
    assert columns_of(chinese[2]) == len(english[2]) and str(plan).count("计算最优") == 1
    assert [line.split("<-")[0] for line in chinese[3:-2]] == [line.split("<-")[0] for line in english[3:-2]]


def test_a_refused_time_is_said_as_it_was_given_and_the_error_knows_all_times():
    with pytest.raises(ValueError, match=r"'1000 years on H100' is 1,000 years; give from a second to ten years"):
        parse_budget("1000 years on H100")
    assert parse_budget("ten years on H100").seconds == 10 * 365.25 * 86400
    with pytest.raises(ValueError, match=r"also a, half a, and one to twelve\) of seconds, .* months or years"):
        parse_budget("soon")
    assert str(plan_budget(1, parse_hardware("H100"))).startswith("1 second on H100\n")


def test_a_small_bill_has_a_unit_that_suits_it():
    assert "µs of one device at $" in str(estimate("nano", tokens=10, on="H100"))
    assert "hours of one device at $" in " ".join(str(estimate("gpt2", on="H100")).split())
