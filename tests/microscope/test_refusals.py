"""Wrong arguments of the microscope: one ValueError that says what was expected."""

import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.microscope import (
    ablate,
    activation_names,
    attribute,
    head_scores,
    log_probability,
    logit_difference,
    logit_lens,
    nearest_tokens,
    patch,
    patch_path,
    recovery,
    run_with,
    top_contexts,
)
from minigpt.microscope.path_patching import Receiver

METRIC = logit_difference(1, 2)
REFUSED = {
    "token 99": (lambda m, x: attribute(m, x, 99), "token=99 must be a whole number, 0 to 16"),
    "token -1": (lambda m, x: attribute(m, x, -1), "token=-1 must be a whole number, 0 to 16"),
    "token 1.5": (lambda m, x: attribute(m, x, 1.5), r"token=1\.5 must be a whole number, 0 to 16"),
    "token True": (lambda m, x: attribute(m, x, True), "token=True must be a whole number"),
    "against 17": (lambda m, x: attribute(m, x, 1, 17), "against=17 must be a whole number, 0 to 16"),
    "position": (lambda m, x: attribute(m, x, 1, position=99), "position=99 must be a whole number, -9 to 8"),
    "tokens": (lambda m, x: attribute(m, x, torch.arange(3)), r"token has shape \(3,\); expected .* a tensor \(2,\)"),
    "dtype": (lambda m, x: attribute(m, x, torch.tensor(1.5)), r"token has dtype torch\.float32; expected token ids"),
    "range": (
        lambda m, x: attribute(m, x, torch.tensor([1, 17])),
        "token runs from 1 to 17; the vocabulary is 0 to 16",
    ),
    "ranks": (lambda m, x: logit_lens(m, x).ranks(x + 9), "targets runs from .* the vocabulary is 0 to 16"),
    "ranks of 3": (lambda m, x: logit_lens(m, x).ranks(x[:, :3]), r"targets has shape \(2, 3\)"),
    "targets": (lambda m, x: logit_lens(m, x).log_probabilities(x - 9), "the vocabulary is 0 to 16"),
    "top": (lambda m, x: logit_lens(m, x).top(2), "sequence=2 must be a whole number, -2 to 1"),
    "view": (lambda m, x: logit_lens(m, x).view(sequence=-3), "sequence=-3 must be a whole number, -2 to 1"),
    "weights": (lambda m, x: mg.look(m, x).attention_view(sequence=2), "sequence=2 must be a whole number, -2 to 1"),
    "right": (lambda m, x: logit_difference(99, 1)(m(x)), "right=99 must be a whole number, 0 to 16"),
    "wrong": (lambda m, x: logit_difference(1, 2.0)(m(x)), r"wrong=2\.0 must be a whole number"),
    "probability": (lambda m, x: log_probability(1, 9)(m(x)), "position=9 must be a whole number, -9 to 8"),
    "vector": (lambda m, x: patch(m, x, x.flip(1), lambda z: z[:, -1, 3]), r"returned a tensor \(2,\); expected one"),
    "no number": (lambda m, x: patch(m, x, x.flip(1), lambda z: None), "the metric returned None; expected one number"),
    "NaN": (lambda m, x: patch(m, x, x.flip(1), lambda z: torch.nan), "the metric is NaN: expected a number"),
    "infinite": (
        lambda m, x: patch(m, x, x.flip(1), lambda z: torch.inf),
        "inf on the clean and inf .* finite numbers",
    ),
    "recovery": (lambda m, x: recovery(x, torch.tensor(torch.nan), torch.tensor(0.0)), "nan on the clean and 0 on the"),
    "no GPT": (lambda m, x: patch(nn.Linear(2, 2), x, x.flip(1), METRIC), "looks into a GPT, got Linear"),
    "no names": (lambda m, x: activation_names(nn.Linear(2, 2)), "looks into a GPT, got Linear"),
    "lists": (lambda m, x: patch(m, x.tolist(), x, METRIC), r"ids must be a tensor \(B, T\) of token ids, got list"),
    "list": (lambda m, x: patch_path(m, x, x.tolist(), "hook_embed", Receiver(layer=1)), "token ids, got list"),
    "final head": (
        lambda m, x: patch_path(m, x, x, "hook_embed", Receiver(layer=1, reads="q", head=99)),
        "layer 1 is the final norm, which reads the stream as a whole; leave out reads and head",
    ),
    "final reads": (lambda m, x: patch_path(m, x, x, "hook_embed", Receiver(layer=1, reads="mlp")), "leave out reads"),
    "receiver": (lambda m, x: patch_path(m, x, x, "hook_embed", 1), "receiver=1 must be a minigpt.microscope Receiver"),
    "its layer": (lambda m, x: Receiver(layer="1"), "layer='1' must be a whole number, at least 0"),
    "its head": (lambda m, x: Receiver(layer=0, reads="q", head=1.5), r"head=1\.5 must be a whole number"),
    "sender's layer": (
        lambda m, x: patch_path(m, x, x, "blocks.7.hook_mlp_out", Receiver(layer=1)),
        "there is no layer 7; the model has 1 layer, counted from 0",
    ),
    "sender ²": (lambda m, x: patch_path(m, x, x, "blocks.².hook_mlp_out", Receiver(layer=1)), "no layer ²"),
    "sender 9…": (
        lambda m, x: patch_path(m, x, x, f"blocks.{'9' * 5000}.hook_mlp_out", Receiver(layer=1)),
        "there is no layer 99999999999999999999;",
    ),
    **{
        f"sender {sender}": (lambda m, x, of=sender: patch_path(m, x, x, of, Receiver(layer=1)), message)
        for sender, message in {
            None: "sender=None is nothing that is added to the stream",
            (0, 0, 0): r"sender=\(0, 0, 0\) is nothing that is added",
            5: "sender=5 is nothing that is added",
            (0, 0.5): r"sender=\(0, 0\.5\) is no head: there are 1 layer of 4 heads, counted from 0",
            ("a", 0): r"sender=\('a', 0\) is no head",
            (1, 0): r"sender=\(1, 0\) is no head",
        }.items()
    },
    "complex": (
        lambda m, x: run_with(m, x, {"logits": torch.zeros(2, 9, 17, dtype=torch.complex64)}),
        r"the edit of logits has dtype torch\.complex64; expected a floating-point tensor",
    ),
    "whole": (lambda m, x: run_with(m, x, {"logits": lambda z: z.long()}), r"has dtype torch\.int64; expected a float"),
    "truth": (lambda m, x: run_with(m, x, {"logits": lambda z: z > 0}), r"has dtype torch\.bool; expected a float"),
    "too large": (
        lambda m, x: run_with(m.float(), x, {"logits": lambda z: z.double().fill_(1e300)}),
        r"the edit of logits has numbers that torch\.float32 can't hold, up to 1e\+300",
    ),
    "first None": (lambda m, x: mg.first_divergence(None, m, x), "the first model must be a torch.nn.Module, got None"),
    "second None": (lambda m, x: mg.first_divergence(m, None, x), "the second model must be .*, got None"),
    "no dict": (lambda m, x: mg.first_divergence(m, m, x, names=["head"]), "names must be a dict"),
    "names": (lambda m, x: mg.look(m, x, 5), "names=5 must be a name, several, or None"),
    "edit": (lambda m, x: run_with(m, x, {"logits": 5}), "the edit of 'logits' is 5; give a tensor, or a function"),
    "edits": (lambda m, x: run_with(m, x, None), "edits=None must be a dict"),
    "heads": (lambda m, x: ablate([0]), r"heads=\[0\] must be pairs of a layer and a head"),
    "triples": (lambda m, x: ablate([(0, 1, 2)]), "must be pairs of a layer and a head"),
    "no reference": (
        lambda m, x: ablate([(0, 1)], "resample", mg.look(m, x[:0], "*_z")),
        "the reference holds no token",
    ),
    "no mean": (lambda m, x: ablate([(0, 1)], "mean", mg.look(m, x[:0], "*_z")), r"its hook_z is \(0, 9, 4, 6\)"),
    "k": (lambda m, x: top_contexts(m, x[0], 0, 0, k=-1), "k=-1 must be a whole number, at least 1"),
    "width": (lambda m, x: top_contexts(m, x[0], 0, 0, width=0), "width=0 must be a whole number, at least 1"),
    "neuron": (lambda m, x: top_contexts(m, x[0], 0, 1.5), r"neuron=1\.5 must be a whole number, 0 to 39"),
    "nearest": (lambda m, x: nearest_tokens(m, 1, -1), "k=-1 must be a whole number, at least 1"),
    "1.9": (
        lambda m, x: nearest_tokens(m, 1.9),
        r"token=1\.9 must be a whole number, 0 to 16, or a vector of 24 numbers",
    ),
    "score": (lambda m, x: head_scores(m).heads("foo"), "score='foo' is unknown; choose one of previous, dup"),
    "sequences": (lambda m, x: head_scores(m, n_sequences=0), "n_sequences=0 must be a whole number, at least 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_argument_is_refused_in_a_sentence(make_model, ids, case):
    call, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        call(make_model(n_layers=1), ids)


def test_a_context_of_three_is_too_short_for_tokens_that_come_twice(make_model):
    with pytest.raises(ValueError, match="context_length=3 is too short"):
        head_scores(make_model(context_length=3))


def test_a_metric_may_return_a_float(make_model, ids):
    model, other = make_model(n_layers=2), ids.flip(1)
    own, expected = (patch(model, ids, other, metric) for metric in (lambda z: float(METRIC(z)), METRIC))
    torch.testing.assert_close(own.values, expected.values, rtol=0, atol=1e-12)
    assert (own.clean, own.corrupt) == (expected.clean, expected.corrupt)
