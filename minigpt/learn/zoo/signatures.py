"""The statistics by which a sick run is told from a healthy one: one number of a trained specimen each."""

from statistics import fmean, median

from minigpt.evaluation.sanity import zero_share
from minigpt.learn.zoo.bug import Specimen
from minigpt.model.roles import roles_of
from minigpt.runs.doctor import validation_gaps

LATE = 10  # steps at the end


def last_loss(specimen: Specimen) -> float:
    """The mean training loss of the last steps, in nats per token."""
    return fmean(specimen.history.column("loss")[1][-LATE:])


def last_validation_loss(specimen: Specimen) -> float:
    """The last validation loss, in nats per token."""
    return specimen.history.column("validation_loss")[1][-1]


def early_rise(specimen: Specimen) -> float:
    """How far the loss rises above that of the first step, in nats per token."""
    losses = specimen.history.column("loss")[1]
    return max(losses) - losses[0]


def late_gap(specimen: Specimen) -> float:
    """The validation loss less the training loss around it, in nats per token: the median of the second half."""
    gaps = validation_gaps(specimen.history)
    return median(gaps[len(gaps) // 2 :])


def last_gradient_norm(specimen: Specimen) -> float:
    """The mean gradient norm of the last steps."""
    return fmean(specimen.history.column("gradient_norm")[1][-LATE:])


def mean_gain(specimen: Specimen) -> float:
    """The mean of the gains of the norms."""
    roles = roles_of(specimen.model)
    gains = [p.mean().item() for name, p in specimen.model.named_parameters() if roles[name] == "gain"]
    return fmean(gains)


def lost_gradients(specimen: Specimen) -> float:
    """The share of the gradient's numbers that are 0."""
    return zero_share(specimen.model, specimen.run.data, specimen.run.precision)
