import math

import pytest
import torch
from microscope_models import KINDS

import minigpt as mg
from minigpt.microscope import activation_names, expert_usage

FROM_MODULES = ["hook_*", "*hook_resid*", "*_out", "*_in", "*ln*", "*mlp*", "*.hook_?", "*hook_result", "*hook_rot*"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_of_a_model_is_recorded_in_the_order_of_computation(make_model, ids, kind):
    model = make_model(kind)
    assert list(mg.look(model, ids)) == activation_names(model)


@pytest.mark.parametrize("kind", KINDS)
def test_the_logits_are_those_of_the_model(make_model, ids, kind):
    model = make_model(kind)
    torch.testing.assert_close(mg.look(model, ids).logits, model(ids), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_without_attention_weights_the_logits_are_equal_bit_for_bit(make_model, ids, kind):
    model = make_model(kind, torch.float32)
    patterns = [name for name in FROM_MODULES if "rot" not in name or "rope" in model.config.position]
    record = mg.look(model, ids, [*patterns, "logits"])
    assert torch.equal(record.logits, model(ids))
    assert set(activation_names(model)) - set(record) == {
        name for name in activation_names(model) if name.endswith(("scores", "pattern", "q_norm", "k_norm"))
    } | {name for name in activation_names(model) if "_norm." in name}


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_formula_they_are_equal_bit_for_bit_too(make_model, ids, kind):
    model = make_model(kind, torch.float32, attention="formula")
    assert torch.equal(mg.look(model, ids).logits, model(ids))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_where_all_weights_are_recorded_the_logits_are_those_of_the_formula(make_model, ids, kind, dtype):
    model, formula = make_model(kind, dtype), make_model(kind, dtype, attention="formula")
    seen, fused = mg.look(model, ids).logits, model(ids)
    assert torch.equal(seen, formula(ids)) and torch.equal(mg.look(model, ids, "logits").logits, fused)
    assert (seen - fused).abs().max() <= 12 * torch.finfo(dtype).eps * fused.abs().max()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_behind(make_model, ids, kind):
    model = make_model(kind, torch.float32)
    before, state = model(ids), [dict(vars(module)) for module in model.modules()]
    mg.look(model, ids)
    assert torch.equal(model(ids), before)
    assert [dict(vars(module)) for module in model.modules()] == state
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_model_in_training_is_looked_at_without_dropout_and_left_in_its_modes(make_model, ids):
    model = make_model(dropout=0.5).train()
    model.blocks[1].eval()
    modes = [module.training for module in model.modules()]
    logits = mg.look(model, ids).logits
    assert [module.training for module in model.modules()] == modes
    torch.testing.assert_close(logits, model.eval()(ids), rtol=0, atol=1e-12)


def test_modes_and_attention_are_restored_after_an_error(make_model):
    model = make_model().train()
    attend = model.blocks[0].attention.attend
    with pytest.raises(ValueError, match="allows 0 to 16"):
        mg.look(model, torch.tensor([[99]]))
    assert model.training
    assert model.blocks[0].attention.attend is attend
    assert "add_to" not in vars(model.position)


def test_gradients_are_off_unless_they_are_asked_for(make_model, ids):
    model = make_model()
    assert not mg.look(model, ids).logits.requires_grad
    record = mg.look(model, ids, gradients=True)
    (gradient,) = torch.autograd.grad(record.logits[0, -1, 3], record["blocks.1.attn.hook_z"])
    assert gradient[0].abs().max() > 0
    assert gradient[1].abs().max() == 0  # another sequence


def literal(model, ids):
    """One sequence through a GPT-2 by einsum, from its weights: no module of the model is called."""
    w, c = dict(model.named_parameters()), model.config
    n_heads, width = c.n_heads, c.head_width
    steps = {
        "hook_embed": w["token_embedding.weight"][ids],
        "hook_pos_embed": w["position.embedding.weight"][: len(ids)],
    }
    x = steps["hook_embed"] + steps["hook_pos_embed"]

    def norm(x, name, to):
        centred = x - x.sum(-1, keepdim=True) / c.d_model
        steps[f"{to}.hook_scale"] = ((centred**2).sum(-1, keepdim=True) / c.d_model + c.norm_eps) ** 0.5
        steps[f"{to}.hook_normalized"] = centred / steps[f"{to}.hook_scale"] * w[f"{name}.gain"] + w[f"{name}.shift"]
        return steps[f"{to}.hook_normalized"]

    def linear(x, name):
        return torch.einsum("ti,oi->to", x, w[f"{name}.weight"]) + w[f"{name}.bias"]

    for layer in range(c.n_layers):
        own, to = f"blocks.{layer}", f"blocks.{layer}"
        steps[f"{to}.hook_resid_pre"] = steps[f"{to}.hook_attn_in"] = x
        qkv = linear(norm(x, f"{own}.norm_1", f"{to}.ln1"), f"{own}.attention.project_qkv")
        q, k, v = (part.reshape(len(ids), n_heads, width) for part in qkv.split(c.d_model, dim=1))
        scores = torch.einsum("the,she->hts", q, k) / math.sqrt(width)
        future = torch.arange(len(ids))[None, :] > torch.arange(len(ids))[:, None]
        scores[:, future] = -math.inf
        pattern = scores.exp() / scores.exp().sum(-1, keepdim=True)
        z = torch.einsum("hts,she->the", pattern, v)
        w_o = w[f"{own}.attention.project_out.weight"].reshape(c.d_model, n_heads, width)
        result = torch.einsum("the,dhe->thd", z, w_o)
        attn_out = result.sum(1) + w[f"{own}.attention.project_out.bias"]
        x = x + attn_out
        names = ("q", "k", "v", "attn_scores", "pattern", "z", "result")
        steps |= {f"{to}.attn.hook_{n}": s for n, s in zip(names, (q, k, v, scores, pattern, z, result), strict=True)}
        steps |= {f"{to}.hook_attn_out": attn_out, f"{to}.hook_resid_mid": x, f"{to}.hook_mlp_in": x}
        pre = linear(norm(x, f"{own}.norm_2", f"{to}.ln2"), f"{own}.mlp.expand")
        post = pre / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (pre + 0.044715 * pre**3)))
        mlp_out = linear(post, f"{own}.mlp.contract")
        x = x + mlp_out
        steps |= {f"{to}.mlp.hook_pre": pre, f"{to}.mlp.hook_post": post}
        steps |= {f"{to}.hook_mlp_out": mlp_out, f"{to}.hook_resid_post": x}
    steps["logits"] = torch.einsum("td,vd->tv", norm(x, "norm", "ln_final"), w["token_embedding.weight"])
    return steps


def test_every_activation_of_a_gpt2_equals_that_of_the_equations(make_model, ids):
    model = make_model()
    record, expected = mg.look(model, ids), literal(model, ids[1])
    assert set(record) == set(expected)
    for name in record:
        torch.testing.assert_close(record[name][1], expected[name], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_stream_is_the_sum_of_what_was_added_to_it(make_model, ids, kind):
    model = make_model(kind)
    record = mg.look(model, ids)
    assert len(record.residual) == 4
    for layer, block in enumerate(model.blocks):
        of = {name.removeprefix(f"blocks.{layer}."): record[name] for name in record if f"blocks.{layer}." in name}
        start = of["hook_resid_pre"] + of.get("hook_conv_out", 0)
        if kind.startswith("post"):
            mid = block.norm_1(start + of["hook_attn_out"])
            end = block.norm_2(mid + of["hook_mlp_out"])
        else:
            mid = start + of["hook_attn_out"]
            end = mid + of["hook_mlp_out"]
        bias = block.attention.project_out.bias
        heads = of["attn.hook_result"].sum(2) + (0 if bias is None else bias)
        torch.testing.assert_close(of["hook_resid_mid"], mid, rtol=0, atol=1e-12)
        torch.testing.assert_close(of["hook_resid_post"], end, rtol=0, atol=1e-12)
        torch.testing.assert_close(of["hook_attn_out"], heads, rtol=0, atol=1e-12)
        assert record.residual[layer] is of["hook_resid_pre"]
        torch.testing.assert_close(record.residual[layer + 1], of["hook_resid_post"], rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_attention_weights_give_the_outputs_of_the_heads(make_model, ids, kind):
    model = make_model(kind)
    record = mg.look(model, ids)
    shared = model.config.n_heads // model.config.kv_heads
    for layer, pattern in enumerate(record.attention):
        v = record[f"blocks.{layer}.attn.hook_v"].repeat_interleave(shared, dim=2)
        z = torch.einsum("bhts,bshe->bthe", pattern, v)
        torch.testing.assert_close(record[f"blocks.{layer}.attn.hook_z"], z, rtol=0, atol=1e-12)
        assert pattern.triu(1).abs().max() == 0
        if model.config.window is not None:
            assert pattern.tril(-model.config.window).abs().max() == 0


def test_queries_are_recorded_before_and_after_their_rotation(make_model, ids):
    model = make_model("llama")
    record = mg.look(model, ids)
    q = model.blocks[0].attention.norm_q(record["blocks.0.attn.hook_q"])
    assert torch.equal(q, record["blocks.0.attn.q_norm.hook_normalized"])
    angles = mg.model.rotary_angles(9, 6)
    rotation = mg.model.Rotation(angles.cos(), angles.sin(), "half")
    rotated = mg.rotary(q.transpose(1, 2), rotation).transpose(1, 2)
    torch.testing.assert_close(record["blocks.0.attn.hook_rot_q"], rotated, rtol=0, atol=1e-12)


def test_a_gated_mlp_shows_its_gate_and_what_is_gated(make_model, ids):
    record = mg.look(make_model("llama"), ids)
    gate, linear = record["blocks.2.mlp.hook_pre"], record["blocks.2.mlp.hook_pre_linear"]
    torch.testing.assert_close(record["blocks.2.mlp.hook_post"], gate / (1 + torch.exp(-gate)) * linear)


def test_some_names_are_recorded_if_some_are_asked_for(make_model, ids):
    record = mg.look(make_model(), ids, ["blocks.*.hook_resid_post", "hook_embed"])
    assert list(record) == ["hook_embed", *(f"blocks.{layer}.hook_resid_post" for layer in range(3))]
    assert list(mg.look(make_model(), ids, "logits")) == ["logits"]


def test_a_wrong_name_is_refused_with_the_nearest(make_model, ids):
    with pytest.raises(
        ValueError, match=r"no activation is called 'blocks.0.hook_resid'; did you mean blocks.0.hook_re"
    ):
        mg.look(make_model(), ids, "blocks.0.hook_resid")
    with pytest.raises(ValueError, match="activation_names"):
        mg.look(make_model(), ids, ["logits", "?"])
    with pytest.raises(ValueError, match="did you mean logits"):
        mg.look(make_model(), ids)["logit"]
    with pytest.raises(ValueError, match="this record holds 1"):
        mg.look(make_model(), ids, "logits").attention  # noqa: B018


def test_what_is_no_gpt_is_refused(make_model, ids):
    with pytest.raises(ValueError, match=r"got Sequential: pass a minigpt\.GPT"):
        mg.look(torch.nn.Sequential(), ids)
    with pytest.raises(ValueError, match="got DataParallel: pass the GPT inside it"):
        mg.look(torch.nn.DataParallel(make_model()), ids)
    with pytest.raises(ValueError, match=r"use torch.tensor\(\[ids\]\)"):
        mg.look(make_model(), [1, 2])
    with pytest.raises(ValueError, match="unsqueeze"):
        mg.look(make_model(), ids[0])


def test_the_text_is_a_table_of_names_and_shapes(make_model, ids):
    text = str(mg.look(make_model(), ids))
    assert text.startswith("65 activations of (2, 9) tokens, 0.2 MiB\n")
    assert "blocks.0…2.attn.hook_pattern      (2, 4, 9, 9)\n" in text
    assert text.endswith("logits                            (2, 9, 17)")
    assert "blocks.1.hook_z" in str(mg.look(make_model(), ids, "blocks.1.attn.hook_z")).replace("attn.", "")


def of_experts(**changes):
    shape = {"vocab_size": 11, "context_length": 7, "d_model": 12, "n_heads": 3, "n_layers": 2, "init_std": 0.5}
    config = mg.GPTConfig(**{**shape, "n_experts": 5, "n_active_experts": 2, **changes})
    return mg.GPT(config, generator=torch.Generator().manual_seed(3)), torch.arange(21).view(3, 7) * 4 % 11


@pytest.mark.parametrize("n_active", [1, 2, 5])
def test_expert_usage_is_the_share_of_the_tokens_whose_gate_is_not_zero(n_active):
    model, ids = of_experts(n_active_experts=n_active)
    entered = {}
    for layer, block in enumerate(model.blocks):
        for j, expert in enumerate(block.mlp.experts):
            expert.register_forward_hook(lambda _, x, y, at=(layer, j): entered.update({at: len(x[0])}))
    usage = expert_usage(model, ids)
    assert usage.tolist() == [[pytest.approx(entered[layer, j] / 21) for j in range(5)] for layer in range(2)]
    assert torch.equal(expert_usage(mg.look(model, ids, "*.hook_router")), usage)


def test_expert_usage_of_what_has_none_is_refused():
    (model, ids), (dense, _) = of_experts(), of_experts(n_experts=None)
    for given, message in (
        ((dense, ids), "the model has no experts, n_experts=None"),
        ((mg.look(dense, ids),), "the model has no experts"),
        ((model,), "give a model and ids, or a record alone"),
        ((mg.look(model, ids), ids), "give a model and ids, or a record alone"),
        ((mg.look(model, ids, "*.hook_mlp_out"),), "no activation is called 'blocks.0.mlp.hook_router'"),
        (([1], ids), "GPT"),
    ):
        with pytest.raises(ValueError, match=message):
            expert_usage(*given)
