import pytest
import torch
from planted_circuit import CLEAN, CORRUPT, INDUCTION_HEAD, LOUDNESS, PREVIOUS_TOKEN_HEAD, planted

import minigpt as mg
from minigpt.microscope import (
    Receiver,
    head_scores,
    log_probability,
    logit_difference,
    patch,
    patch_path,
    recovery,
    run_with,
)
from minigpt.microscope.interventions import ablate

ANSWER = logit_difference(2, 5)


def assert_equal(actual, expected):
    torch.testing.assert_close(actual, torch.tensor(expected).double(), rtol=0, atol=1e-9)


def test_the_planted_circuit_says_what_came_after_the_token_the_last_time():
    logits = planted()(torch.cat([CLEAN, CORRUPT]))[:, -1]
    assert_equal(logits, [[0, 0, LOUDNESS, 0, 0, 0], [0, 0, 0, 0, 0, LOUDNESS]])


def test_patching_heads_finds_the_planted_heads_and_no_other():
    found = patch(planted(), CLEAN, CORRUPT, ANSWER, site="attn.hook_z", over="head")
    assert PREVIOUS_TOKEN_HEAD == (0, 0)
    assert INDUCTION_HEAD == (1, 1)
    assert_equal(found.values, [[1, 0], [0, 1]])
    assert (found.clean, found.corrupt) == pytest.approx((LOUDNESS, -LOUDNESS))


def test_patching_positions_gives_the_recoveries_computed_by_hand():
    # In layer 1, place 2 then also follows a 1, and half of the weight goes there; if place 5 no longer does, all
    # places get the same weight. In layer 0, the 1 at place 1 in addition to that at place 4 gives half, too.
    found = patch(planted(), CLEAN, CORRUPT, ANSWER)
    assert_equal(found.values, [[0, 0.5, 0, 0, 0.5, 0, 0], [0, 0, 0.5, 0, 0, 0.5, 0]])
    last = patch(planted(), CLEAN, CORRUPT, ANSWER, site="hook_resid_post")
    assert_equal(last.values, [[0, 0, 0.5, 0, 0, 0.5, 0], [0, 0, 0, 0, 0, 0, 1]])


def test_patching_attention_patterns_by_head_and_by_query():
    by_head = patch(planted(), CLEAN, CORRUPT, ANSWER, site="attn.hook_pattern", over="head")
    assert_equal(by_head.values, [[0, 0], [0, 1]])  # the token before is the one before, whatever the tokens are
    by_query = patch(planted(), CLEAN, CORRUPT, ANSWER, site="attn.hook_pattern")
    assert_equal(by_query.values, [[0] * 7, [0] * 6 + [1]])


@pytest.mark.parametrize(
    ("sender", "receiver", "expected"),
    [
        (PREVIOUS_TOKEN_HEAD, Receiver(layer=1, reads="k", head=1), 1),
        (PREVIOUS_TOKEN_HEAD, Receiver(layer=1, reads="k"), 1),
        (PREVIOUS_TOKEN_HEAD, Receiver(layer=1), 1),
        (PREVIOUS_TOKEN_HEAD, Receiver(layer=1, reads="q", head=1), 0),
        (PREVIOUS_TOKEN_HEAD, Receiver(layer=1, reads="v", head=1), 0),
        (PREVIOUS_TOKEN_HEAD, Receiver(layer=1, reads="k", head=0), 0),
        (PREVIOUS_TOKEN_HEAD, Receiver(layer=2), 0),
        ((0, 1), Receiver(layer=1), 0),
        (INDUCTION_HEAD, Receiver(layer=2), 1),
        (INDUCTION_HEAD, Receiver(layer=1, reads="mlp"), 0),
        ("hook_embed", Receiver(layer=0, reads="v", head=0), 1),
        ("hook_embed", Receiver(layer=0, reads="k", head=0), 0),
        ("hook_pos_embed", Receiver(layer=0), 0),
        ("blocks.0.hook_attn_out", Receiver(layer=1, reads="k", head=1), 1),
        ("blocks.0.hook_mlp_out", Receiver(layer=1), 0),
    ],
)
def test_path_patching_follows_the_planted_path(sender, receiver, expected):
    model = planted()
    patched = patch_path(model, CORRUPT, CLEAN, sender, receiver).logits
    value = recovery(ANSWER(patched), ANSWER(model(CLEAN)), ANSWER(model(CORRUPT)))
    assert_equal(value, float(expected))


def test_the_scores_name_the_planted_heads():
    scores = head_scores(planted(), period=3, generator=torch.Generator().manual_seed(2))
    assert scores.heads("previous", 0.99) == [PREVIOUS_TOKEN_HEAD]
    assert scores.heads("duplicate") == []


def test_an_ablated_head_of_the_circuit_leaves_nothing_of_the_answer():
    model = planted()
    for head in (PREVIOUS_TOKEN_HEAD, INDUCTION_HEAD):
        assert ANSWER(run_with(model, CLEAN, ablate([head])).logits).abs() < 1e-9
    assert_equal(ANSWER(run_with(model, CLEAN, ablate([(0, 1), (1, 0)])).logits), LOUDNESS)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "convolution", "window"])
def test_all_paths_into_the_logits_together_are_the_other_run(make_model, ids, kind):
    """The final norm reads a sum, so before it the changes that the senders make add up to the whole change."""
    model = make_model(kind)
    other = torch.randint(17, ids.shape, generator=torch.Generator().manual_seed(4))
    model.norm = torch.nn.Identity()  # so that they add up after it too
    model.config = mg.GPTConfig(**{**vars(model.config)})
    senders = ["hook_embed", *[(layer, head) for layer in range(3) for head in range(4)]]
    senders += [f"blocks.{layer}.hook_mlp_out" for layer in range(3)]
    own = model(ids)
    changes = [patch_path(model, ids, other, sender, Receiver(layer=3)).logits - own for sender in senders]
    torch.testing.assert_close(own + sum(changes), model(other), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "convolution"])
def test_a_receiver_whose_whole_input_changes_computes_what_it_does_in_the_other_run(make_model, ids, kind):
    model = make_model(kind)
    other = torch.randint(17, ids.shape, generator=torch.Generator().manual_seed(4))
    source = mg.look(model, other)
    seen = {}
    for reads in ("q", "k", "v"):
        name = f"blocks.0.attn.hook_{reads}"
        patched = patch_path(model, ids, other, "hook_embed", Receiver(layer=0, reads=reads))
        seen[reads] = run_with(model, ids, {name: source[name]}).logits
        torch.testing.assert_close(patched.logits, seen[reads], rtol=0, atol=1e-11)
    assert (seen["q"] - seen["k"]).abs().max() > 1e-3


def test_a_wrong_path_is_refused(make_model, ids):
    model = make_model()
    with pytest.raises(ValueError, match="needs norm_placement='pre'"):
        patch_path(make_model("post-norm"), ids, ids, (0, 0), Receiver(layer=1))
    for sender, receiver in [((1, 0), Receiver(layer=1)), ("blocks.1.hook_mlp_out", Receiver(layer=1, reads="mlp"))]:
        with pytest.raises(ValueError, match="nothing goes from one to the other"):
            patch_path(model, ids, ids, sender, receiver)
    with pytest.raises(ValueError, match="there are 3 layers of 4 heads"):
        patch_path(model, ids, ids, (0, 4), Receiver(layer=1))
    with pytest.raises(ValueError, match="is nothing that is added to the stream"):
        patch_path(model, ids, ids, "blocks.0.hook_resid_pre", Receiver(layer=1))
    with pytest.raises(ValueError, match="must be 0 to 3; 3 is the final norm"):
        patch_path(model, ids, ids, (0, 0), Receiver(layer=4))
    with pytest.raises(ValueError, match="must have the same shape"):
        patch_path(model, ids, ids[:1], (0, 0), Receiver(layer=1))
    with pytest.raises(ValueError, match="must be one of q, k, v, attention, mlp"):
        Receiver(layer=0, reads="z")
    with pytest.raises(ValueError, match="reads='mlp' has no heads"):
        Receiver(layer=0, reads="mlp", head=1)
    with pytest.raises(ValueError, match="the layer has 4 such heads"):
        patch_path(model, ids, ids, (0, 0), Receiver(layer=1, reads="k", head=4))


def test_metrics_are_those_of_their_tokens(make_model, ids):
    logits = make_model()(ids).detach()
    expected = (logits[0, -2, 3] - logits[0, -2, 7] + logits[1, -2, 5] - logits[1, -2, 7]) / 2
    torch.testing.assert_close(logit_difference(torch.tensor([3, 5]), 7, -2)(logits), expected)
    chances = torch.softmax(logits, -1)
    expected = (chances[0, 4, 6].log() + chances[1, 4, 6].log()) / 2
    torch.testing.assert_close(log_probability(6, 4)(logits), expected)


def test_a_wrong_sweep_is_refused(make_model, ids):
    model, metric = make_model(), logit_difference(1, 2)
    with pytest.raises(ValueError, match=r"clean \(2, 9\) and corrupt \(1, 9\) must have the same shape"):
        patch(model, ids, ids[:1], metric)
    with pytest.raises(ValueError, match="nothing can recover"):
        patch(model, ids, ids, metric)
    with pytest.raises(ValueError, match=r"no activation of this model's blocks; did you mean attn\.hook_z"):
        patch(model, ids, ids.flip(1), metric, site="hook_z")
    with pytest.raises(ValueError, match="has no heads"):
        patch(model, ids, ids.flip(1), metric, over="head")
    with pytest.raises(ValueError, match="over='layer' is unknown"):
        patch(model, ids, ids.flip(1), metric, over="layer")


def test_the_text_of_a_sweep_is_a_table():
    text = str(patch(planted(), CLEAN, CORRUPT, ANSWER, site="attn.hook_z", over="head"))
    assert text.splitlines()[0] == "recovery by patching attn.hook_z; the metric is 3 clean and -3 corrupt"
    assert text.splitlines()[1:] == ["layer       0      1  (head)", "    0    1.00   0.00", "    1    0.00   1.00"]
