import pytest
import torch
from microscope_models import KINDS

import minigpt as mg
from minigpt.microscope import attribute, logit_lens, residual_norms

PRE_NORM = [kind for kind in KINDS if not kind.startswith("post")]


def literal_norm(model, x, scale_of=None):
    """The final norm by its formula, with its own scale or that of another vector."""
    norm = model.norm
    if isinstance(norm, torch.nn.Identity):
        return x
    centre = (lambda y: y - y.sum(-1, keepdim=True) / y.shape[-1]) if hasattr(norm, "shift") else (lambda y: y)
    source = centre(x if scale_of is None else scale_of)
    scale = ((source**2).sum(-1, keepdim=True) / x.shape[-1] + norm.eps) ** 0.5
    return centre(x) / scale * norm.gain + getattr(norm, "shift", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_lens_is_the_norm_and_the_head_on_the_stream_of_every_layer(make_model, ids, kind):
    model = make_model(kind)
    streams, head = mg.look(model, ids).residual, model.head.weight
    own, last, none = (logit_lens(model, ids, scale=scale).logits for scale in ("own", "last", "none"))
    for layer, x in enumerate(streams):
        for found, y in [
            (own, literal_norm(model, x)),
            (last, literal_norm(model, x, streams[-1])),
            (none, x),
        ]:
            expected = torch.einsum("btd,vd->btv", y, head)
            torch.testing.assert_close(found[layer], expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(own[-1], model(ids), rtol=0, atol=1e-10)
    torch.testing.assert_close(last[-1], model(ids), rtol=0, atol=1e-10)


def test_the_lens_names_tokens_probabilities_and_ranks(make_model, ids):
    lens = logit_lens(make_model(), ids)
    targets = ids.roll(-1, 1)
    chances = torch.softmax(lens.logits, -1)
    for layer in range(4):
        for t in range(9):
            target = targets[1, t]
            assert lens.top(1)[layer, t] == chances[layer, 1, t].argmax()
            assert lens.ranks(targets)[layer, 1, t] == (chances[layer, 1, t] > chances[layer, 1, t, target]).sum()
            expected = chances[layer, 1, t, target].log()
            torch.testing.assert_close(lens.log_probabilities(targets)[layer, 1, t], expected)


def test_a_wrong_scale_is_refused(make_model, ids):
    with pytest.raises(ValueError, match="scale='first' is unknown; choose one of own, last, none"):
        logit_lens(make_model(), ids, scale="first")


def test_the_length_of_the_stream(make_model, ids):
    model = make_model()
    expected = torch.stack([(x**2).sum(-1) ** 0.5 for x in mg.look(model, ids).residual])
    torch.testing.assert_close(residual_norms(model, ids), expected)


@pytest.mark.parametrize("kind", PRE_NORM)
@pytest.mark.parametrize("against", [None, 4])
def test_attributions_are_those_computed_by_hand_and_add_up_to_the_logits(make_model, ids, kind, against):
    model = make_model(kind)
    record, at, token = mg.look(model, ids), -3, torch.tensor([5, 9])
    found = attribute(model, ids, token, against, position=at)
    logits = model(ids)[:, at]
    total = torch.stack([logits[0, 5], logits[1, 9]]) - (0 if against is None else logits[:, against])
    torch.testing.assert_close(found.total, total, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.values.sum(0), total, rtol=0, atol=1e-10)

    x, norm = record.residual[-1][:, at], model.norm
    row = model.head.weight[token] - (0 if against is None else model.head.weight[against])
    has_shift = hasattr(norm, "shift")
    mean = x.mean(-1, keepdim=True) if has_shift else 0
    scale = (((x - mean) ** 2).mean(-1, keepdim=True) + norm.eps) ** 0.5

    def expected(part):
        part = part - part.mean(-1, keepdim=True) if has_shift else part
        return torch.einsum("bd,bd->b", part / scale * norm.gain, row)

    torch.testing.assert_close(found["embed"], expected(record["hook_embed"][:, at]), rtol=0, atol=1e-10)
    for layer in range(3):
        result, mlp = record[f"blocks.{layer}.attn.hook_result"], record[f"blocks.{layer}.hook_mlp_out"]
        torch.testing.assert_close(found[f"L{layer}.mlp"], expected(mlp[:, at]), rtol=0, atol=1e-10)
        for head in range(4):
            torch.testing.assert_close(found[f"L{layer}H{head}"], expected(result[:, at, head]), rtol=0, atol=1e-10)
    if has_shift:
        torch.testing.assert_close(found["norm_shift"], row @ norm.shift, rtol=0, atol=1e-10)
    assert ("pos_embed" in found.names) == (model.config.position == "learned")
    assert ("L1.conv" in found.names) == (kind == "convolution")
    assert ("L1.attn_bias" in found.names) == model.config.bias


def test_an_attribution_is_a_table_with_the_largest_first(make_model, ids):
    found = attribute(make_model(), ids, 3)
    *rows, total, model = str(found).splitlines()
    values = [abs(float(row.split()[1])) for row in rows]
    assert values == sorted(values, reverse=True)
    assert total.split()[1] == model.split()[1]
    with pytest.raises(ValueError, match="no part is called 'L9H9'; there are embed, pos_embed, L0H0"):
        found["L9H9"]


def test_a_post_norm_model_has_no_sum_to_split(make_model, ids):
    with pytest.raises(ValueError, match="attribution needs norm_placement='pre'"):
        attribute(make_model("post-norm"), ids, 3)
