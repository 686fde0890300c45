import json

import pytest

import minigpt as mg
from minigpt.cli import main
from minigpt.runs import RunConfig

SMALL = {"batch_size": 4, "context_length": 8, "n_layers": 1, "d_model": 16, "n_heads": 2, "device": "cpu"}


@pytest.fixture
def config(tmp_path):
    """Ten documents, of which nine are trained on: three batches an epoch, six steps."""
    (tmp_path / "my.txt").write_text("\n\n".join(f"text {i}" for i in range(10)))
    return RunConfig.of(text=tmp_path / "my.txt", documents=True, epochs=2, out=tmp_path / "run", **SMALL)


def edited(config, **changes):
    """The file of a run in which some settings of the training were changed by hand."""
    path = config.out / "run.json"
    table = json.loads(path.read_text())
    table["training"] |= changes
    path.write_text(json.dumps(table))
    return path


def test_a_run_of_epochs_that_nobody_edited_is_resumed(config, recwarn):
    assert mg.start_run(config, progress=False).config.training.steps == 6
    mg.start_run(RunConfig.read(config.out), resume=True, progress=False)
    assert not recwarn.list


def test_steps_that_were_edited_beside_epochs_are_one_line_when_the_run_is_resumed(config, capsys):
    mg.start_run(config, progress=False)
    path = edited(config, steps=7)
    with pytest.raises(SystemExit):
        main(["train", "--resume", "--out", str(config.out)])
    assert capsys.readouterr().err == (
        f"minigpt: {path} has steps=7, and its epochs=2 are 6 steps; write steps=6 back to continue the run, or start "
        "another with --steps 7\n"
    )


def test_steps_that_were_edited_beside_epochs_are_one_line_in_a_run_that_starts_from_the_file(config, capsys, tmp_path):
    mg.start_run(config, progress=False)
    path = edited(config, steps=7)
    said = r"^epochs=2 of this text are 6 steps, so steps=7 is not used; to train for 7 steps, give --steps 7$"
    with pytest.warns(UserWarning, match=said):
        main(["train", "--config", str(path), "--out", str(tmp_path / "other")])
    capsys.readouterr()
    main(["train", "--config", str(path), "--out", str(tmp_path / "third"), "--steps", "1"])
    assert capsys.readouterr().err == ""
    assert RunConfig.read(tmp_path / "third").training.steps == 1


def test_another_batch_or_text_is_named_and_not_the_steps_that_follow_from_it(config, tmp_path):
    mg.start_run(config, progress=False)
    with pytest.raises(ValueError, match=r"not the run that was started: batch_size was 4, now 2\. Resume"):
        mg.prepare_run(config.changed(batch_size=2)).open(True)
    (tmp_path / "my.txt").write_text("\n\n".join(f"text {i}" for i in range(30)))
    with pytest.raises(ValueError, match=r"my\.txt has changed since the run"):
        mg.prepare_run(config).open(True)


def test_steps_without_epochs_are_compared_as_ever(tmp_path):
    (tmp_path / "my.txt").write_text("the cat sat on the mat. " * 40)
    config = RunConfig.of(text=tmp_path / "my.txt", steps=1, out=tmp_path / "run", **SMALL)
    mg.start_run(config, progress=False)
    with pytest.raises(ValueError, match="steps was 1, now 2"):
        mg.prepare_run(config.changed(steps=2)).open(True)
