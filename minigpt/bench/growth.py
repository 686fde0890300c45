"""How the cost of a training step grows, measured on this machine beside what is predicted from small steps.

What is known before the large steps: the parts of a step (:func:`probe_machine`) and the time of the smallest one. Each
larger step is predicted from these and then measured, so the error of carrying a measurement over to a larger model is
seen, size by size.
"""

import time
from collections.abc import Iterable
from dataclasses import replace

from tqdm import tqdm

from minigpt.bench.probe import Clock, least_seconds, probe_machine, timed_step
from minigpt.bench.together import measure_together
from minigpt.cost.growth import FACTORS, STEP_SIZES, Growth, GrowthRow, StepSize, predict_growth
from minigpt.cost.machine import Machine
from minigpt.limits import usable_cores
from minigpt.model import GPTConfig

#: The smallest step: each size can be multiplied by 8 within some seconds.
SMALLEST = StepSize(
    config=GPTConfig(vocab_size=1024, context_length=64, d_model=64, n_layers=2, n_heads=2), n_sequences=8
)
DEVICES_AXIS = "n_devices"


def measure_growth(
    base: StepSize = SMALLEST,
    *,
    axes: Iterable[str] = tuple(STEP_SIZES),
    factors: Iterable[int] = FACTORS,
    machine: Machine | None = None,
    clock: Clock = time.perf_counter,
    progress: bool = False,
) -> Growth:
    """Measure a training step here as each of its sizes grows, in float32 on the CPU, beside its prediction.

    The devices are processes with one thread each, at most one for each core.

    Args:
        base: the smallest step, in one device.
        axes: keys of :data:`~minigpt.cost.growth.STEP_SIZES`.
        factors: what each size is multiplied by.
        machine: what its parts take; ``None``: they are measured first, in about three seconds.
        clock: returns seconds.
        progress: show a bar, on stderr.
    """
    machine = probe_machine(clock=clock, progress=progress) if machine is None else machine
    n_cores = usable_cores()
    planned = predict_growth(base, machine, axes=axes, factors=factors)
    rows = [row for row in planned.rows if row.axis != DEVICES_AXIS or row.factor <= n_cores]
    measured: list[GrowthRow] = []
    for row in tqdm(rows, desc="measuring steps", disable=not progress, leave=False):
        measured.append(_beside_processes(row) if row.axis == DEVICES_AXIS else _here(row, measured, clock))
    return replace(planned, rows=tuple(measured))


def _here(row: GrowthRow, before: list[GrowthRow], clock: Clock) -> GrowthRow:
    """The row with its time, and with its prediction moved by what the prediction of the smallest step was wrong."""
    smallest = next((each for each in before if each.factor == 1 and each.axis != DEVICES_AXIS), None)
    if row.factor == 1 and smallest is not None:
        return replace(row, seconds=smallest.seconds, measured=smallest.measured)
    seconds = least_seconds(timed_step(row.size.config, row.size.n_sequences), 0.2, clock)
    if smallest is None:
        return replace(row, seconds=seconds, measured=seconds)
    predicted = row.seconds * smallest.seconds / smallest.estimate.seconds if smallest.estimate.seconds else row.seconds
    return replace(row, seconds=predicted, measured=seconds)


def _beside_processes(row: GrowthRow) -> GrowthRow:
    """The row of some processes: a step takes what it takes where all compute, and what sending the gradients takes."""
    found = measure_together(row.size.config, row.size.n_sequences, row.size.n_devices)
    return replace(row, seconds=found.apart + row.sent * found.byte, measured=found.step)
