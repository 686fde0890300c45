import pytest
import torch
from microscope_models import KINDS, config_of

import minigpt as mg
from minigpt.microscope import ablate, activation_names, run_with

# What is replaced by that of another run, and what must then be that of the other run.
CUTS = [
    ("hook_embed hook_pos_embed", "blocks.0.hook_resid_pre"),
    ("blocks.1.hook_resid_pre", "logits"),
    ("blocks.1.hook_resid_mid", "blocks.1.hook_resid_post"),
    ("blocks.1.hook_resid_mid", "logits"),
    ("blocks.1.hook_resid_post", "logits"),
    ("blocks.2.hook_resid_post", "logits"),
    ("blocks.0.hook_resid_pre blocks.0.hook_attn_out", "blocks.0.hook_resid_mid"),
    ("blocks.1.hook_resid_mid blocks.1.hook_mlp_out", "blocks.2.hook_resid_pre"),
    ("blocks.1.hook_attn_in", "blocks.1.hook_attn_out"),
    ("blocks.1.attn.hook_q blocks.1.attn.hook_k", "blocks.1.attn.hook_attn_scores"),
    ("blocks.1.attn.hook_q", "blocks.1.attn.hook_rot_q"),
    ("blocks.1.attn.hook_q", "blocks.1.attn.q_norm.hook_normalized"),
    ("blocks.1.attn.k_norm.hook_normalized", "blocks.1.attn.hook_rot_k"),
    ("blocks.1.attn.hook_rot_q blocks.1.attn.hook_rot_k", "blocks.1.attn.hook_attn_scores"),
    ("blocks.1.attn.hook_attn_scores", "blocks.1.attn.hook_pattern"),
    ("blocks.1.attn.hook_pattern blocks.1.attn.hook_v", "blocks.1.attn.hook_z"),
    ("blocks.1.attn.hook_z", "blocks.1.attn.hook_result"),
    ("blocks.1.attn.hook_z", "blocks.1.hook_attn_out"),
    ("blocks.1.attn.hook_result", "blocks.1.hook_attn_out"),
    ("blocks.1.hook_mlp_in", "blocks.1.hook_mlp_out"),
    ("blocks.1.mlp.hook_pre blocks.1.mlp.hook_pre_linear", "blocks.1.mlp.hook_post"),
    ("blocks.1.mlp.hook_post", "blocks.1.hook_mlp_out"),
    ("blocks.1.hook_resid_pre blocks.1.hook_conv_out blocks.1.hook_attn_out", "blocks.1.hook_resid_mid"),
    ("ln_final.hook_normalized", "logits"),
    ("logits", "logits"),
]


@pytest.fixture
def other():
    return torch.randint(17, (2, 9), generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_from_replaced_activations_is_that_of_the_other_run(make_model, ids, other, kind):
    model, known = make_model(kind), activation_names(config_of(kind))
    source, own = mg.look(model, other), mg.look(model, ids)
    for replaced, followed in CUTS:
        names = [name for name in replaced.split() if name in known]
        if names and followed in known:
            record = run_with(model, ids, {name: source[name] for name in names}, followed)
            assert not torch.equal(record[followed], own[followed])
            torch.testing.assert_close(record[followed], source[followed], rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_an_activation_in_place_of_itself_changes_no_bit(make_model, ids, kind):
    model = make_model(kind, torch.float32, attention="formula")
    logits, record = model(ids), mg.look(model, ids)
    for name in record:
        if not name.endswith(("conv_out", "result", "hook_scale")):  # these are computed on the way, and rounded
            assert torch.equal(run_with(model, ids, {name: lambda x: x}).logits, logits), name
        torch.testing.assert_close(run_with(model, ids, {name: record[name]}).logits, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "post-norm"])
def test_a_scale_in_place_of_a_norms_own_divides_what_the_norm_has_centred(make_model, ids, kind):
    model = make_model(kind)
    record = run_with(model, ids, {"blocks.1.ln2.hook_scale": lambda x: x * 2}, None)
    norm = model.blocks[1].norm_2
    entered = record["blocks.1.hook_resid_mid"]
    if kind == "post-norm":
        entered = entered + record["blocks.1.hook_mlp_out"]
    shift = getattr(norm, "shift", None)
    expected = norm(entered) / 2 if shift is None else (norm(entered) + shift) / 2
    torch.testing.assert_close(record["blocks.1.ln2.hook_normalized"], expected, rtol=0, atol=1e-11)


def test_what_was_computed_before_stays(make_model, ids):
    model = make_model()
    before = mg.look(model, ids)
    record = run_with(model, ids, {"blocks.1.attn.hook_z": torch.zeros_like}, None)
    names = activation_names(model)
    for name in names[: names.index("blocks.1.attn.hook_z")]:
        assert torch.equal(record[name], before[name])
    assert record["blocks.1.attn.hook_z"].abs().max() == 0
    assert not torch.equal(record.logits, before.logits)


def test_one_edit_may_be_for_many_activations_and_many_for_one(make_model, ids):
    model = make_model()
    edits = {"blocks.*.hook_mlp_out": torch.zeros_like, "blocks.1.hook_mlp_out": lambda x: x + 1}
    record = run_with(model, ids, edits, "*mlp_out")
    assert [record[f"blocks.{layer}.hook_mlp_out"].unique().tolist() for layer in range(3)] == [[0], [1], [0]]


def test_an_edit_may_write_into_what_it_gets(make_model, ids):
    def edit(x):
        x[:, 2:] = 0
        return x

    model = make_model()
    record = run_with(model, ids, {"blocks.0.hook_attn_in": edit}, None)
    assert torch.equal(record["blocks.0.hook_resid_pre"], mg.look(model, ids)["blocks.0.hook_resid_pre"])
    assert record["blocks.0.hook_attn_in"][:, 2:].abs().max() == 0


def test_a_wrong_edit_is_refused(make_model, ids):
    model = make_model()
    with pytest.raises(ValueError, match=r"the edit of logits has shape \(2, 9\); expected \(2, 9, 17\)"):
        run_with(model, ids, {"logits": lambda x: x[..., 0]})
    with pytest.raises(ValueError, match="returned NoneType; it must return the tensor"):
        run_with(model, ids, {"logits": lambda x: None})
    with pytest.raises(ValueError, match="no activation is called 'logit'; did you mean logits"):
        run_with(model, ids, {"logit": lambda x: x})
    torch.testing.assert_close(run_with(model, ids, {}).logits, model(ids))


def test_a_replacement_of_another_precision_is_rounded_and_infinities_stay(make_model, ids):
    model = make_model().float()
    y = torch.full((2, 9, 17), 1 / 3, dtype=torch.float64)
    y[0, 0, 0] = -torch.inf
    found = run_with(model, ids, {"logits": y}).logits
    assert found.dtype == torch.float32 and torch.equal(found, y.float())
    assert torch.equal(run_with(model, ids, {"logits": y.bfloat16()}).logits, y.bfloat16().float())


def test_gradients_flow_through_an_edit_that_asks_for_them(make_model, ids):
    model = make_model()
    factor = torch.ones((), dtype=torch.float64, requires_grad=True)
    logits = run_with(model, ids, {"blocks.0.hook_mlp_out": lambda x: factor * x}, gradients=True).logits
    (slope,) = torch.autograd.grad(logits[0, -1, 2], factor)
    step = 1e-6
    high, low = (
        run_with(model, ids, {"blocks.0.hook_mlp_out": lambda x, by=by: by * x}).logits[0, -1, 2]
        for by in (1 + step, 1 - step)
    )
    torch.testing.assert_close(slope, (high - low) / (2 * step), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_that_is_ablated_adds_nothing_and_the_others_what_they_did(make_model, ids, kind):
    model = make_model(kind)
    before = mg.look(model, ids)["blocks.1.attn.hook_result"]
    after = run_with(model, ids, ablate([(1, 2), (1, 0)]), None)["blocks.1.attn.hook_result"]
    assert after[:, :, [0, 2]].abs().max() == 0
    torch.testing.assert_close(after[:, :, [1, 3]], before[:, :, [1, 3]], rtol=0, atol=1e-12)


def test_an_ablated_head_writes_its_mean_over_the_reference(make_model, ids, other):
    model = make_model()
    reference = mg.look(model, other, "*hook_z")
    z = run_with(model, ids, ablate([(0, 1), (2, 3)], "mean", reference), "*hook_z")
    for layer, head in ((0, 1), (2, 3)):
        mean = sum(reference[f"blocks.{layer}.attn.hook_z"][b, t, head] for b in range(2) for t in range(9)) / 18
        torch.testing.assert_close(z[f"blocks.{layer}.attn.hook_z"][1, 4, head], mean)
    others = mg.look(model, ids, "*hook_z")["blocks.0.attn.hook_z"][:, :, [0, 2, 3]]
    assert torch.equal(z["blocks.0.attn.hook_z"][:, :, [0, 2, 3]], others)


def test_a_resampled_head_writes_what_it_writes_in_a_sequence_that_is_drawn(make_model, ids):
    model = make_model()
    many = torch.randint(17, (20, 11), generator=torch.Generator().manual_seed(5))
    seen = mg.look(model, many, "*hook_z")["blocks.1.attn.hook_z"][:, :9, 3]

    def drawn(seed):
        edits = ablate([(1, 3)], "resample", mg.look(model, many, "*hook_z"), torch.Generator().manual_seed(seed))
        z = run_with(model, ids, edits, "*hook_z")["blocks.1.attn.hook_z"][:, :, 3]
        return [[torch.equal(one, other) for other in seen].index(True) for one in z]

    assert drawn(0) == drawn(0)
    assert len({tuple(drawn(seed)) for seed in range(5)}) > 1


def test_a_wrong_ablation_is_refused(make_model, ids):
    model = make_model()
    with pytest.raises(ValueError, match="by='mean' needs a reference"):
        ablate([(0, 0)], "mean")
    with pytest.raises(ValueError, match="by='nothing' is unknown; choose one of zero, mean, resample"):
        ablate([(0, 0)], "nothing")
    with pytest.raises(ValueError, match=r"heads \[4\] of a layer with 4 heads"):
        run_with(model, ids, ablate([(0, 4)]))
    with pytest.raises(ValueError, match="no activation is called 'blocks"):
        run_with(model, ids, ablate([(9, 0)]))
    with pytest.raises(ValueError, match="the reference has 3 positions, and the sequences 9"):
        run_with(model, ids, ablate([(0, 0)], "resample", mg.look(model, ids[:, :3], "*hook_z")))
