import pytest
import torch
from microscope_models import KINDS

import minigpt as mg
from minigpt.microscope import lens_logits, logit_lens, residual_norms


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
    direct = lens_logits(torch.stack(streams), model.norm, head)
    torch.testing.assert_close(direct, own, rtol=0, atol=1e-10)
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


def test_a_printed_lens_has_a_header_explains_its_marks_and_fits_the_terminal(make_model, ids, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = str(logit_lens(make_model(), ids)).split("\n")
    assert max(map(len, lines)) <= 60
    told = " ".join(lines)
    assert "✓ is the token that comes" in told and ".view(tokenizer) shows their texts" in told
    heads = [line for line in lines if line.startswith("layer \\ token")]
    assert len(heads) > 1  # blocks of columns
    assert "  ".join(heads).split()[3:5] == ["0", str(int(ids[0, 0]))]
    assert sum(line.startswith("output") for line in lines) == len(heads)
    monkeypatch.setenv("COLUMNS", "400")
    assert str(logit_lens(make_model(), ids)).count("layer \\ token") == 1
