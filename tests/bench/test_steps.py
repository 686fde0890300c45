import pytest
import torch

from minigpt.bench import steps
from minigpt.bench.steps import Contender, Shape, contenders_step, our_step
from minigpt.training import RunState, TrainConfig

SMALL = Shape(1, 2, 16, 8, 2)


@pytest.fixture
def runs(monkeypatch):
    """The runs that steps are made of."""
    made = []

    def make(*given, **options):
        made.append(RunState(*given, **options))
        return made[-1]

    monkeypatch.setattr(steps, "RunState", make)
    return made


def ids():
    return torch.arange(16).view(2, 8) % 65


def test_a_contender_is_named_with_its_precision_and_whether_it_is_compiled():
    names = [str(Contender(*of)) for of in (("minigpt",), ("transformers", "bf16"), ("nanoGPT", "bf16", True))]
    assert names == ["minigpt float32", "transformers bf16", "nanoGPT bf16 compiled"]


def test_our_step_is_the_update_of_a_run_with_the_configuration(runs):
    _, step = contenders_step(Contender("minigpt", "bf16"), SMALL)
    (run,) = runs
    before = [p.clone() for p in run.model.parameters()]
    figures, _ = step(ids(), ids())
    assert run.precision.name == "bf16" and figures.n_positions == 16
    assert all(not torch.equal(p, old) for p, old in zip(run.model.parameters(), before, strict=True))


def test_the_recipe_fast_is_trained_by_muon_on_its_own_parts(runs):
    config, step = contenders_step(Contender("minigpt fast"), SMALL)
    (run,) = runs
    step(ids(), ids())
    assert (config.norm, config.mlp, config.d_model) == ("rms", "relu2", 16)
    assert type(run.optimizer).__name__ == "Muon"


@pytest.mark.parametrize("compiled", [True, False])
def test_blocks_are_run_as_the_configuration_says_for_as_long_as_there_is_a_step(runs, monkeypatch, compiled):
    monkeypatch.setattr(torch, "compile", lambda forward: forward)
    step = our_step(SMALL.config, TrainConfig(device="cpu", compile=compiled))
    step(ids(), ids())
    assert ("forward" in vars(next(iter(runs[0].model.blocks)))) == compiled


def test_the_peers_step_changes_its_weights_and_warns_of_nothing(monkeypatch, capfd):
    pytest.importorskip("transformers", reason="the peer is transformers")
    made, make = [], steps.peer_model
    monkeypatch.setattr(steps, "peer_model", lambda *given, **more: made.append(make(*given, **more)) or made[0])
    _, step = contenders_step(Contender("transformers", "bf16"), SMALL)
    before = made[0].transformer.wte.weight.clone()
    step(ids(), ids())
    assert not torch.equal(made[0].transformer.wte.weight, before)
    assert capfd.readouterr() == ("", "")


def test_nanogpt_needs_a_checkout():
    with pytest.raises(ValueError, match="measured from a checkout of it; give its folder"):
        contenders_step(Contender("nanoGPT"), SMALL)
