import json

import pytest

import minigpt as mg
from minigpt.cli import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    mg.learn.zoo.run("dead-initialisation", out=out)
    return out


def test_a_symptom_is_printed_with_its_causes_its_test_and_its_fix(runs, capsys):
    main(["doctor", str(runs / "sick")])
    assert capsys.readouterr().out.splitlines() == [
        "no-gradient: the gradient norm is never above 0",
        "  fits: dead-initialisation; frozen parameters; a detached loss",
        "  test: mg.sanity.check_gradients(model, data) on the untrained model",
        "  fix:  draw the weights from a distribution that is not constant, and leave",
        "        requires_grad on",
    ]


def test_a_healthy_run_is_one_sentence(runs, capsys):
    main(["doctor", str(runs / "healthy")])
    said = " ".join(capsys.readouterr().out.split())  # in lines as wide as the terminal
    assert said.startswith(f"the log of {runs / 'healthy'} shows no symptoms")


def test_json_holds_the_findings(runs, capsys):
    main(["doctor", str(runs / "sick"), "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert found["symptom"] == "no-gradient" and found["fits"][0] == "dead-initialisation"
    main(["doctor", str(runs / "healthy"), "--json"])
    assert json.loads(capsys.readouterr().out) == []
