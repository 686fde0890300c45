import pytest
import torch
from microscope_models import KINDS

import minigpt as mg
from minigpt.microscope import attribute, attributed

PRE_NORM = [kind for kind in KINDS if not kind.startswith("post")]


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


@pytest.mark.parametrize("centred", [True, False])
def test_a_part_adds_its_product_with_the_direction_over_the_scale(centred):
    parts, gain, direction = (torch.randn(n, 5).double() for n in (3, 1, 1))
    gain, direction, scale = gain[0], direction[0], torch.tensor([2.5]).double()
    found = attributed(parts, scale, gain, direction, centred=centred)
    for k in range(3):
        mean = float(parts[k].sum()) / 5 if centred else 0.0
        terms = [float(gain[i] * direction[i] * (parts[k, i] - mean)) / 2.5 for i in range(5)]
        assert float(found[k]) == pytest.approx(sum(terms))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_in_16_bits_is_split_in_32(make_model, ids, kind):
    found = attribute(make_model(kind, torch.bfloat16), ids, 3, 5)
    assert found.values.dtype == torch.float32
    largest = found.values.abs().max()
    torch.testing.assert_close(found.values.sum(0), found.total, rtol=0, atol=0.1 * float(largest))
