"""The symptoms that a run's log can show: what they fit, the test that decides, and the fix."""

from dataclasses import dataclass
from typing import Any

from minigpt.settings.language import folded


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """What a log may show, and what to do about it.

    Attributes:
        fits: causes that would look like this, the likeliest first; names of the bug zoo where it has them.
        test: what decides between them.
        fix: what to change.
    """

    fits: tuple[str, ...]
    test: str
    fix: str


@dataclass(frozen=True)
class Observation:
    """A symptom that a log shows.

    Attributes:
        name: of the symptom.
        evidence: the figures that show it.
        symptom: what it fits, what to test and what to change.
    """

    name: str
    evidence: str
    symptom: Symptom

    def to_object(self) -> dict[str, Any]:
        """As what JSON can hold."""
        of = self.symptom
        return {"symptom": self.name, "evidence": self.evidence, "fits": of.fits, "test": of.test, "fix": of.fix}

    def __str__(self) -> str:
        of = self.symptom
        lines = {"fits": "; ".join(of.fits), "test": of.test, "fix": of.fix}
        first = folded(f"{self.name}: {self.evidence}", 2)
        return "\n".join([first, *(folded(f"  {label + ':':6}{text}", 8) for label, text in lines.items())])


#: The symptoms by name.
SYMPTOMS: dict[str, Symptom] = {
    "no-gradient": Symptom(
        fits=("dead-initialisation", "frozen parameters", "a detached loss"),
        test="mg.sanity.check_gradients(model, data) on the untrained model",
        fix="draw the weights from a distribution that is not constant, and leave requires_grad on",
    ),
    "small-gradient": Symptom(
        fits=("double-softmax", "logits divided by a large number"),
        test="mg.sanity.check_logits(model, ids)",
        fix="return logits from the model and leave the softmax to the loss",
    ),
    "rise-at-start": Symptom(
        fits=("no-warm-up", "a learning rate that is too high"),
        test="mg.find_learning_rate(model, data): compare its suggestion with the rate of the run",
        fix="warm up for some 5 % of the steps, and lower the learning rate",
    ),
    "copied-input": Symptom(
        fits=("targets-not-shifted", "a model that is not untrained"),
        test="mg.sanity.check_targets(data)",
        fix="let the target of position t be the token at t + 1",
    ),
    "too-good": Symptom(
        fits=("leaked-mask", "targets-not-shifted", "validation-in-training", "a text that repeats itself"),
        test="mg.sanity.check_causal(model, ids), then mg.sanity.check_targets(data)",
        fix="let a position attend to itself and the positions before it alone",
    ),
    "no-overfitting": Symptom(
        fits=("validation-in-training", "strong regularisation", "a text that repeats itself"),
        test="mg.sanity.check_splits(data, validation)",
        fix="split the text first; remove duplicates across the splits",
    ),
    "overfitting": Symptom(
        fits=("a text with far fewer tokens than the model has parameters", "a validation text of another kind"),
        test="train a smaller model, or the same one with dropout: overfitting is weaker then",
        fix="more text, a smaller model, dropout or more weight decay; or stop where the validation loss is lowest",
    ),
    "no-dropout-gap": Symptom(
        fits=("dropout-in-evaluation", "a validation text that is harder than the training text"),
        test="mg.sanity.check_evaluation(model, ids)",
        fix="call model.eval() before the evaluation and model.train() after it",
    ),
    "growing-gradient": Symptom(
        fits=("stale-gradients", "a loss that is a sum over more and more tokens", "a run that slowly diverges"),
        test="mg.sanity.check_cleared(model) between two steps",
        fix="call optimizer.zero_grad() once an update",
    ),
    "no-loss-scale": Symptom(
        fits=("fp16-without-loss-scale", "a scale that fell to 1 after many overflows"),
        test="mg.sanity.check_underflow(model, data, precision)",
        fix="scale the loss before the backward pass, or use bf16",
    ),
    "skipped-steps": Symptom(
        fits=("a learning rate that is too high", "broken data", "an operation that overflows"),
        test="read the warning of the step: it names the first tensor that is not finite",
        fix="lower the learning rate, warm up for longer, or repair the data",
    ),
}
