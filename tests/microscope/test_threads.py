"""Looks at one model from several threads, and from within each other."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch

import minigpt as mg
from minigpt.microscope import run_with, tapped

PATTERN = "blocks.0.attn.hook_pattern"


def test_two_threads_look_one_after_the_other_and_the_model_stays_as_it_was(make_model, ids):
    model = make_model().train()
    expected, modes = mg.look(model, ids).logits, [module.training for module in model.modules()]
    inside, other_is_there = Event(), Event()

    def edit(x):
        inside.set()
        assert not other_is_there.wait(0.2)  # the other thread waits for this one
        return x * 0 + 1

    def look():
        inside.wait()
        logits = mg.look(model, ids).logits
        other_is_there.set()
        return logits

    with ThreadPoolExecutor(2) as pool:
        edited, seen = pool.submit(run_with, model, ids, {PATTERN: edit}), pool.submit(look)
        assert not torch.equal(edited.result().logits, expected)
        assert torch.equal(seen.result(), expected)
    assert [module.training for module in model.modules()] == modes
    assert "add_to" not in vars(model.position)
    torch.testing.assert_close(model.eval()(ids), expected, rtol=0, atol=1e-12)


def test_a_look_within_an_edit_of_the_same_model_is_refused(make_model, ids):
    model = make_model()
    before = model(ids)
    with pytest.raises(ValueError, match=r"this model is being looked at: .* record what it needs with minigpt\.look"):
        run_with(model, ids, {PATTERN: lambda x: mg.look(model, ids)[PATTERN]})
    assert torch.equal(model(ids), before)
    with tapped(model, lambda name, x: None, ["logits"]), pytest.raises(ValueError, match="is being looked at"):
        mg.look(model, ids)
    assert torch.equal(mg.look(model, ids, "logits").logits, before)


def test_an_edit_may_look_at_another_model(make_model, ids):
    model, other = make_model(), make_model("window")
    record = run_with(model, ids, {PATTERN: lambda x: mg.look(other, ids)[PATTERN]}, PATTERN)
    assert torch.equal(record[PATTERN], mg.look(other, ids)[PATTERN])
