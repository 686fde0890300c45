"""`minigpt fairness`: the table with what A and B are and the limits, JSON, and templates of one's own."""

import json

import pytest

import minigpt as mg
from minigpt.cli import main

OWN = {
    "language": "en",
    "limits": ["two names"],
    "attributes": {"sex": {"a": "she", "b": "he", "swaps": [{"name": ["Anna", "Tom"]}]}},
    "templates": [{"attribute": "sex", "group": "place", "prompt": "{name} was", "continuation": " in"}],
}


@pytest.fixture
def out(tiny_run):
    return tiny_run("qa").out


def test_the_table_comes_with_what_is_compared_and_with_its_limits(out, tmp_path, capsys):
    (tmp_path / "own.json").write_text(json.dumps(OWN), "utf-8")
    main(["fairness", str(out), "--pairs", str(tmp_path / "own.json")])
    said = capsys.readouterr().out
    assert "sex: A is she, B is he" in said and "  - two names" in said
    report = mg.fairness.counterfactual_gaps(*mg.load_model(out), mg.fairness.read_pairs(tmp_path / "own.json"))
    assert said.endswith(f"\n{report}\n")
    main(["fairness", str(out), "--pairs", str(tmp_path / "own.json"), "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["limits"] == ["two names"]
    assert figures["groups"] == json.loads(json.dumps(report.to_object()))


def test_pairs_that_are_too_long_for_the_model_are_counted_and_do_not_stop_it(out, tmp_path, capsys):
    own = json.loads(json.dumps(OWN))
    own["templates"].append({**OWN["templates"][0], "continuation": " in" * 2000})
    (tmp_path / "own.json").write_text(json.dumps(own), "utf-8")
    main(["fairness", str(out), "--pairs", str(tmp_path / "own.json")])
    assert capsys.readouterr().out.endswith("\nskipped: 1 of 2 pairs, longer than the model's context\n")
    main(["fairness", str(out), "--pairs", str(tmp_path / "own.json"), "--json"])
    assert json.loads(capsys.readouterr().out)["skipped"] == 1


def test_a_folder_that_holds_no_model_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["fairness", str(tmp_path)])
    assert capsys.readouterr().err.startswith("minigpt: ")
