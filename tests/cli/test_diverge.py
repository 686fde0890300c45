"""`minigpt diverge`: runs, checkpoints and folders of Hugging Face."""

import json
import re

import pytest
import torch

import minigpt as mg
from minigpt import cli
from minigpt.cli.diverge import tokenizers_note

TEXT = "Once upon a time there was a text, and it was long enough to learn from. " * 20
PARTS = ["--recipe", "gpt2", "--n-layers", "1", "--d-model", "16", "--n-heads", "2", "--context-length", "16"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of two steps and a checkpoint at each, the second with another seed; and the first one exported."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    for seed in ("1", "2"):
        words = ["train", "--text", str(folder / "text.txt"), "--out", str(folder / seed), "--steps", "2"]
        cli.main(
            [*words, "--checkpoint-every", "1", "--keep-checkpoints", "3", "--seed", seed, "--device", "cpu", *PARTS]
        )
    model, _ = mg.load_model(folder / "1")
    mg.save_pretrained(model, folder / "exported", mg.BPETokenizer([]))
    return folder


def test_a_run_does_not_part_from_itself_nor_from_its_export(runs, capsys):
    cli.main(["diverge", str(runs / "1"), str(runs / "1")])
    cli.main(["diverge", str(runs / "1"), str(runs / "exported"), "--dtype", "float64"])
    first, note, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"identical in \d+ places", first) and re.fullmatch(r"identical in \d+ places", second)
    assert note.startswith("the tokenizers differ")


def test_two_runs_and_two_checkpoints_part_at_the_start_with_exit_status_1(runs, capsys):
    steps = sorted((runs / "1" / "checkpoints").iterdir())
    for a, b in ((runs / "1", runs / "2"), (steps[0], steps[-1])):
        with pytest.raises(SystemExit, match=r"^1$"):
            cli.main(["diverge", str(a), str(b), "--text", "there was"])
        assert capsys.readouterr().out.startswith("the models part in token_embedding:\n")
    with pytest.raises(SystemExit, match=r"^1$"):
        cli.main(["diverge", str(steps[0]), str(steps[-1]), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["diverges"], shown["module"]) == (True, "token_embedding")
    assert {"place", "error", "budget"} == shown["points"][0].keys()


def test_other_tokenizers_are_said_before_the_report(runs, capsys):
    cli.main(["diverge", str(runs / "1"), str(runs / "exported"), "--json"])
    said = capsys.readouterr()
    sizes = f"{mg.load_model(runs / '1')[1].vocab_size} and 257 tokens"
    assert said.err.startswith(f"the tokenizers differ, with {sizes}: only the weights are compared")
    assert json.loads(said.out)["diverges"] is False


def test_two_tokenizers_are_the_same_if_each_id_is_the_same_token():
    same = tokenizers_note(mg.CharTokenizer.train("abc"), mg.CharTokenizer.train("cba"))
    other = tokenizers_note(mg.CharTokenizer.train("abc"), mg.CharTokenizer.train("abd"))
    assert same == "" and other.startswith("the tokenizers differ: only the weights")


def test_a_text_that_the_tokenizers_see_differently_is_refused(runs, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        cli.main(["diverge", str(runs / "1"), str(runs / "exported"), "--text", "there was"])
    assert "give different ids for this text; without --text both models get the same random ids" in (
        capsys.readouterr().err
    )
    assert torch.is_grad_enabled()
