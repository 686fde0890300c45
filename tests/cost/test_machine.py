"""minigpt/cost/machine.py: the time of a step is the sum of its parts."""

import pytest

import minigpt as mg
from minigpt.cost import Machine, attention_pairs, step_seconds
from minigpt.cost.machine import between

NO_TIME = ((1.0, 0.0),)
NOTHING = {"step": 0.0, "block": 0.0, "stream": 0.0, "hidden": 0.0}
NOTHING |= {"logit": NO_TIME, "weight": NO_TIME, "embedding": NO_TIME}
FAST = ((1.0, 1e30),)  # operations per second of products that take no time
CONFIG = mg.GPTConfig(vocab_size=31, context_length=8, d_model=24, n_layers=3, n_heads=6, d_hidden=50, window=5)


def machine(products=FAST, attention=((1.0, 0.0),), **parts):
    return Machine(name="a machine", products=products, attention=attention, **{**NOTHING, **parts})


@pytest.mark.parametrize(
    ("part", "number"),
    [
        ("step", 1),
        ("block", 3),
        ("stream", 2 * 8 * 3 * 24),
        ("hidden", 2 * 8 * 3 * 50),
    ],
)
def test_every_part_counts_what_it_is_a_time_of(part, number):
    assert step_seconds(CONFIG, machine(**{part: 1.0}), 2) == pytest.approx(number)


@pytest.mark.parametrize(
    ("part", "number"), [("logit", 2 * 8 * 31), ("weight", CONFIG.n_parameters), ("embedding", 31 * 24)]
)
def test_what_many_numbers_take_is_looked_up_by_how_many_there_are(part, number):
    table = ((number / 2, 1.0), (2 * number, 4.0))
    assert step_seconds(CONFIG, machine(**{part: table}), 2) == pytest.approx(2 * number)


def test_products_and_attention_take_their_operations():
    matrices = 3 * (24 * 24 * 4 + 2 * 24 * 50) + 24 * 31
    assert step_seconds(CONFIG, machine(products=((24.0, 1.0),)), 2) == pytest.approx(6 * 2 * 8 * matrices)
    scores = 12 * 2 * 3 * 24 * attention_pairs(8, 5)
    assert step_seconds(CONFIG, machine(attention=((8.0, 1.0),)), 2) == pytest.approx(scores, rel=1e-9)


def test_more_work_on_the_stream_takes_longer():
    times = [
        step_seconds(mg.GPTConfig(vocab_size=9, d_model=16, n_heads=2, **changes), machine(stream=1.0), 1)
        for changes in ({}, {"position": "rope-half"}, {"position": "rope-half", "qk_norm": True, "convolution": 3})
    ]
    assert times[0] < times[1] < times[2]


def test_a_table_is_a_power_law_between_its_rows_and_level_beyond_them():
    table = ((1.0, 8.0), (4.0, 2.0), (16.0, 6.0))
    assert [between(table, x) for x in (0.1, 1, 2, 4, 16, 99)] == pytest.approx([8, 8, 4, 2, 6, 6])
