"""minigpt/bench/growth.py and together.py: what is measured, by a clock of the test. Times are not asserted."""

import itertools
from dataclasses import replace

import pytest

from minigpt.bench import growth, measure_growth, together
from minigpt.bench.together import Together, measure_together
from minigpt.cost import Machine
from minigpt.model import GPTConfig

MACHINE = Machine(
    name="a machine", products=((16.0, 1e6),), attention=((8.0, 1e-6),),
    step=1e-3, block=1e-2, stream=1e-6, hidden=1e-6,
    logit=((1.0, 1e-6),), weight=((1.0, 1e-6),), embedding=((1.0, 1e-6),),
)  # fmt: skip
BASE = replace(
    growth.SMALLEST, config=GPTConfig(vocab_size=9, context_length=8, d_model=8, n_layers=1, n_heads=2), n_sequences=2
)


def test_the_smallest_step_moves_the_predictions_of_the_larger_ones():
    ticks = itertools.count(step=0.125)
    found = measure_growth(
        BASE, axes=["n_layers", "vocab_size"], factors=[1, 2], machine=MACHINE, clock=lambda: next(ticks)
    )
    first, deeper, again, larger = found.rows
    assert {row.measured for row in found.rows} == {0.125}
    assert first.error == again.error == 0
    for row in (deeper, larger):
        assert row.seconds / 0.125 == pytest.approx(row.estimate.seconds / first.estimate.seconds)
    assert found.largest_error() == pytest.approx(max(abs(deeper.seconds / 0.125 - 1), abs(larger.seconds / 0.125 - 1)))


def test_devices_are_processes_that_also_send_their_gradients(monkeypatch):
    monkeypatch.setattr(growth, "usable_cores", lambda: 2)
    monkeypatch.setattr(growth, "measure_together", lambda config, b, n: Together(5.0, 1.0 * n, 0.25 * (n > 1)))
    alone, two = measure_growth(BASE, axes=["n_devices"], machine=MACHINE).rows
    assert (alone.seconds, alone.measured) == (1.0, 5.0)
    assert two.sent == 4 * BASE.config.n_parameters
    assert (two.seconds, two.measured) == (2.0 + 0.25 * two.sent, 5.0)


@pytest.mark.slow
def test_two_processes_time_a_step_and_a_message(monkeypatch):
    found = measure_together(BASE.config, 2, 2)
    assert min(found) > 0


def test_a_process_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(together.sys, "executable", "/bin/false")
    with pytest.raises(ChildProcessError, match="has ended"):
        measure_together(BASE.config, 2, 1)
