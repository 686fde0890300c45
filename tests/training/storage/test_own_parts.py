import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.training import RunState, TrainConfig
from minigpt.training.run_state import model_from
from minigpt.training.storage.own_parts import own_parts, refuse_own_parts
from minigpt.training.weights import dtype_of, load_weights

CONFIG = TrainConfig(steps=1, batch_size=2, learning_rate=0.01, device="cpu")


class Capped(mg.GPT):
    """Every weight is that of a GPT; the logits are not."""

    def forward(self, ids):
        return 5 * torch.tanh(super().forward(ids) / 5)


class OtherNorm(nn.LayerNorm):
    """Weights of other names than those of a GPT."""


@pytest.mark.parametrize(
    "changes", [{}, {"norm": "rms", "mlp": "swiglu", "position": "rope-half"}, {"tied_head": False}]
)
def test_a_gpt_has_no_parts_of_its_own_and_no_random_number_is_drawn(make_model, changes):
    model, before = make_model(**changes), torch.get_rng_state()
    assert own_parts(model) == {} and torch.equal(torch.get_rng_state(), before)
    assert own_parts(nn.Linear(2, 2)) == {}


@pytest.mark.parametrize("part", ["subclass", "norm", "activation"])
def test_a_model_with_parts_of_its_own_is_never_loaded_as_another_and_can_be_loaded_into_its_like(
    make_model, data, part
):
    def build():
        model = make_model()
        if part == "subclass":
            torch.manual_seed(0)
            return Capped(model.config)
        if part == "norm":
            model.norm = OtherNorm(16)
        else:
            model.blocks[0].drop = nn.Tanh()  # without a weight, so that nothing in the file tells
        return model

    model = build()
    snapshot = RunState(model, CONFIG, data).snapshot(0)
    names = {"subclass": "the model: Capped", "norm": "norm: OtherNorm", "activation": r"blocks\.0\.drop: Tanh"}
    with pytest.raises(ValueError, match=r"another model: its parts that no GPT has were .*, now none\. Use the"):
        RunState(make_model(), CONFIG, data).restore(snapshot)
    RunState(build(), CONFIG, data).restore(snapshot)
    with pytest.raises(ValueError, match=rf"a GPT with parts of its own \({names[part]}\).*load_model\(out, model\)"):
        model_from(snapshot)
    again, ids = build(), data.batch(0, 2)[0]
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.zero_()
    load_weights(again, snapshot.model)
    assert torch.equal(again(ids), model(ids))


@pytest.mark.parametrize("own", [3, ["x"], "x", {"a": 1}, {"": None}, True])
def test_parts_of_another_type_are_one_error(own):
    with pytest.raises(ValueError, match="a GPT with parts of its own"):
        refuse_own_parts({"own_parts": own})


def test_weights_without_a_dtype_are_refused():
    with pytest.raises(ValueError, match="the weights have no dtype at all"):
        dtype_of({})
