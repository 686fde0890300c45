r"""What a run's log says of its health: symptoms with their likely causes, read from ``log.jsonl`` and ``run.json``.

A log is evidence and not proof, so that each finding names all causes that fit and the test that decides. Some bugs
leave no trace in a log, such as weight decay on the gains of norms.

Dimensions: V vocabulary.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median

from minigpt.evaluation.sanity import EARLY, RISE
from minigpt.files.paths import as_path
from minigpt.runs.config import RunConfig
from minigpt.runs.summary import read_log
from minigpt.runs.symptoms import SYMPTOMS, Observation
from minigpt.training.report.history import History

SHORTEST = 40  # steps of a run whose course can be judged
AROUND = 5  # steps on either side of an evaluation, whose training loss it is compared with
STRONG_DROPOUT, FEW_EPOCHS, DROPOUT_GAP = 0.3, 8, -0.045
MANY_EPOCHS, NUMBERS_PER_TOKEN, OVERFITTED_GAP = 20, 3, 0.1
COPIED = 0.05  # of the loss of a uniform guess
UNKNOWN_FLOOR = 0.1  # nats per token; no text of interest can be predicted so well
GROWTH, N_LEVELS = 4, 8


@dataclass(frozen=True)
class Chart:
    """The figures of a run that the symptoms are read from.

    Attributes:
        config: of the run.
        history: its log.
    """

    config: RunConfig
    history: History

    @cached_property
    def losses(self) -> list[float]:
        """The training losses, in nats per token."""
        return self.history.column("loss")[1]

    @cached_property
    def norms(self) -> list[float]:
        """The gradient norms before clipping."""
        return self.history.column("gradient_norm")[1]

    @property
    def uniform(self) -> float:
        """The loss of a uniform guess, log V, in nats per token."""
        return math.log(self.config.model.vocab_size)

    @property
    def epochs(self) -> float:
        """Passes over the text; 0 where the log doesn't say."""
        return max(self.history.column("epochs")[1], default=0.0)

    @cached_property
    def evaluations(self) -> list[tuple[int, float, float]]:
        """The step of each evaluation, the validation loss there, and the mean training loss around it."""
        steps, validation = self.history.column("validation_loss")
        gaps = validation_gaps(self.history)
        return [(step, loss, loss - gap) for step, loss, gap in zip(steps, validation, gaps, strict=True)]

    @property
    def gap(self) -> float | None:
        """The validation loss less the training loss around it: the median of the second half, in nats per token."""
        gaps = validation_gaps(self.history)
        return median(gaps[len(gaps) // 2 :]) if len(gaps) > 1 else None


def examine(out: Path | str) -> list[Observation]:
    """The symptoms that the log of a run shows; none, if there are none to see.

    Args:
        out: the run folder, of which ``run.json`` and ``log.jsonl`` are read.

    Raises:
        ValueError: if the folder holds no run or no log, or they can't be used.
    """
    out = as_path(out, "out")
    config = RunConfig.read(out)
    if not (log := out / "log.jsonl").is_file():
        raise ValueError(f"{out} has no log.jsonl yet; train first")
    return findings(config, read_log(log))


def findings(config: RunConfig, history: History) -> list[Observation]:
    """The symptoms that a history shows.

    Args:
        config: of the run.
        history: its rows, from the first step on.
    """
    rows = history.rows
    if not rows or rows[0]["step"] != 0:
        return []
    chart = Chart(config, history)
    found = {name: evidence for name, sign in _SIGNS.items() if (evidence := sign(chart)) is not None}
    if "no-overfitting" in found or "copied-input" in found:
        found.pop("too-good", None)  # explained already
    return [Observation(name, evidence, SYMPTOMS[name]) for name, evidence in found.items()]


def validation_gaps(history: History) -> list[float]:
    """At each evaluation, the validation loss less the mean training loss of the steps around it, in nats per token.

    Args:
        history: whose rows are from the first step on.
    """
    losses, (steps, validation) = history.column("loss")[1], history.column("validation_loss")
    return [v - fmean(losses[max(0, i + 1 - AROUND) : i + 1 + AROUND]) for i, v in zip(steps, validation, strict=True)]


def _no_gradient(chart: Chart) -> str | None:
    if not chart.norms or max(chart.norms) > 1e-8:
        return None
    return f"the gradient norm is never above {max(chart.norms):.1g}"


def _small_gradient(chart: Chart) -> str | None:
    """A second softmax divides the first gradient by about V, and leaves the loss above log(V - 1 + e) - 1."""
    size = chart.config.model.vocab_size
    if not chart.norms or not 1e-8 < chart.norms[0] < 10 / size or size < 20:
        return None
    bound = math.log(size - 1 + math.e) - 1
    if min(chart.losses) < bound - 0.01:
        return None
    return (
        f"the first gradient norm is {chart.norms[0]:.2g}, and the loss is never below {bound:.2f} nats per token, the "
        "least that two softmaxes in a row allow"
    )


def _rise_at_start(chart: Chart) -> str | None:
    early = chart.losses[: EARLY + 1]
    if max(early) <= early[0] + RISE:
        return None
    return (
        f"the loss rises from {early[0]:.2f} to {max(early):.2f} nats per token within {EARLY} steps, with "
        f"warmup_steps={chart.config.training.warmup}"
    )


def _copied_input(chart: Chart) -> str | None:
    """A tied head predicts the token at a position better than a guess does, from the first step on."""
    low = chart.losses[0] < chart.uniform - 0.2 and min(chart.losses) < COPIED * chart.uniform
    if chart.config.source.from_pretrained is not None or not low:
        return None
    return (
        f"the loss starts at {chart.losses[0]:.2f} nats per token, where a uniform guess has {chart.uniform:.2f}, and "
        f"falls to {min(chart.losses):.3f}"
    )


def _too_good(chart: Chart) -> str | None:
    validation, floors = (chart.history.column(name)[1] for name in ("validation_loss", "floor"))
    floor = floors[-1] if floors else UNKNOWN_FLOOR
    if not validation or min(validation) >= 0.9 * floor:
        return None
    what = "the floor, which no model can be below," if floors else "what any text of interest allows, about"
    return f"the validation loss is {min(validation):.3f} nats per token, below {what} {floor:.3f}"


def _no_overfitting(chart: Chart) -> str | None:
    if chart.epochs < MANY_EPOCHS or chart.gap is None or chart.gap > OVERFITTED_GAP:
        return None
    training, model = chart.config.training, chart.config.model
    n_tokens = len(chart.losses) * training.batch_size * model.context_length / chart.epochs
    if model.n_parameters < NUMBERS_PER_TOKEN * n_tokens or model.dropout:
        return None
    return (
        f"after {chart.epochs:.0f} epochs a model with {model.n_parameters / n_tokens:.0f} parameters a token predicts "
        f"the validation text as well as the training text (difference {chart.gap:+.2f} nats per token)"
    )


def _overfitting(chart: Chart) -> str | None:
    """The validation loss is above its minimum, or above a uniform guess, while the training loss falls."""
    if len(chart.evaluations) < 2:
        return None
    step, best, before = min(chart.evaluations, key=lambda evaluation: evaluation[1])
    _, last, now = chart.evaluations[-1]
    found = []
    if last > best + OVERFITTED_GAP and now < before - OVERFITTED_GAP:
        found.append(
            f"from step {step + 1} on the validation loss rises from {best:.2f} to {last:.2f} nats per token, while "
            f"the training loss falls from {before:.2f} to {now:.2f}"
        )
    if last > chart.uniform + OVERFITTED_GAP and now < chart.uniform - OVERFITTED_GAP:
        worse = f"{last:.2f} is worse than a uniform guess, {chart.uniform:.2f}"
        found.append(worse if found else f"the validation loss {worse}, and the training loss is {now:.2f}")
    return "; ".join(found) or None


def _no_dropout_gap(chart: Chart) -> str | None:
    dropout = chart.config.model.dropout
    short = len(chart.losses) < SHORTEST or chart.epochs > FEW_EPOCHS
    if dropout < STRONG_DROPOUT or short or chart.gap is None or chart.gap < DROPOUT_GAP:
        return None
    return (
        f"with dropout={dropout:g} the training loss is measured with dropout, and the validation loss is no lower "
        f"(difference {chart.gap:+.2f} nats per token)"
    )


def _growing_gradient(chart: Chart) -> str | None:
    n = len(chart.norms) // N_LEVELS
    if len(chart.norms) < SHORTEST:
        return None
    levels = [median(chart.norms[i * n : (i + 1) * n]) for i in range(N_LEVELS)]
    steady = sum(later > earlier for earlier, later in pairwise(levels))
    first = median(chart.norms[:3])
    if steady < N_LEVELS - 3 or levels[-1] < GROWTH * first:
        return None
    return f"the gradient norm grows steadily, from {first:.2g} to {levels[-1]:.2g}"


def _no_loss_scale(chart: Chart) -> str | None:
    scales = chart.history.column("loss_scale")[1]
    if chart.config.training.precision != "fp16" or (scales and scales[0] > 1):
        return None
    return "the precision is fp16 and the loss scale " + (f"starts at {scales[0]:g}" if scales else "is not in the log")


def _skipped_steps(chart: Chart) -> str | None:
    steps = [int(row["step"]) for row in chart.history.rows if row.get("skipped") and "loss_scale" not in row]
    return f"{len(steps)} updates were skipped, the first at step {steps[0]}" if steps else None


_SIGNS: dict[str, Callable[[Chart], str | None]] = {
    "no-loss-scale": _no_loss_scale,
    "no-gradient": _no_gradient,
    "small-gradient": _small_gradient,
    "copied-input": _copied_input,
    "rise-at-start": _rise_at_start,
    "no-overfitting": _no_overfitting,
    "overfitting": _overfitting,
    "too-good": _too_good,
    "no-dropout-gap": _no_dropout_gap,
    "growing-gradient": _growing_gradient,
    "skipped-steps": _skipped_steps,
}
