import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest

import minigpt as mg
from minigpt.runs import RunConfig
from minigpt.runs.summary import RunSummary, counted, list_runs, table_of
from minigpt.settings.language import columns_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "my.txt").write_text("the cat sat on the mat. " * 40)
    settings = {
        "steps": 3,
        "batch_size": 2,
        "context_length": 8,
        "n_layers": 1,
        "device": "cpu",
        "text": folder / "my.txt",
    }
    for place in ("a", "deeper/b"):
        mg.start_run(RunConfig.of(**settings, out=folder / place), progress=False)
    os.utime(folder / "a" / "log.jsonl", (0, 0))
    return folder


def test_a_summary_says_how_far_the_run_is_and_how_good(folder):
    run = RunSummary.of(folder / "a")
    model, _ = mg.load_model(folder / "a")
    assert (run.steps_done, run.n_parameters, run.checkpoints) == (3, model.n_parameters, ("step-00000003",))
    assert run.loss is not None and run.validation_loss is not None
    assert run.text == str(folder / "my.txt") and run.shape == "1 × 128, 4 heads, learned"
    assert "3 of 3 steps" in str(run) and "  learning_rate             0.002" in str(run)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"task": "qa"}, "task language from_pretrained tokenizer reading"),
        ({"data": "shards"}, "data from_pretrained"),
        ({"corpus": "tiny-world"}, "corpus from_pretrained tokenizer validation_fraction documents epochs"),
        (
            {"text": "my.txt"},
            "text glob special_tokens from_pretrained tokenizer validation_fraction documents epochs",
        ),
    ],
)
def test_of_the_source_only_what_has_an_effect_is_shown(settings, shown, tmp_path):
    config = RunConfig.of(**settings, out=tmp_path)
    (tmp_path / "run.json").write_text(config.to_json())
    summary = RunSummary.of(tmp_path)
    part = str(summary).partition("\nsource\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in part.splitlines()] == shown.split()
    assert summary.to_object()["source"]["corpus"] == config.source.corpus


def test_a_summary_goes_to_json(folder):
    saved = json.loads(json.dumps(RunSummary.of(folder / "a").to_object(), allow_nan=False))
    assert saved["training"]["steps"] == saved["steps_done"] == 3 and saved["model"]["n_layers"] == 1


def test_a_run_before_its_first_step_has_no_losses(tmp_path):
    (tmp_path / "run.json").write_text(RunConfig.of(task="qa").to_json())
    run = RunSummary.of(tmp_path)
    assert (run.steps_done, run.loss, run.validation_loss, run.checkpoints, run.text) == (0, None, None, (), "qa")
    assert "–" in str(run)


@pytest.mark.parametrize(("rows", "loss"), [(0, False), (1, True)])
def test_how_far_a_run_is_follows_its_newest_checkpoint_where_the_log_is_shorter(folder, tmp_path, rows, loss):
    shutil.copytree(folder / "a", tmp_path / "a")
    log = tmp_path / "a" / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:rows]))
    run = RunSummary.of(tmp_path / "a")
    assert run.steps_done == 3 and (run.loss is not None) == loss
    log.unlink()
    assert RunSummary.of(tmp_path / "a").steps_done == 3


def test_how_far_a_run_is_follows_its_log_where_that_is_longer(folder, tmp_path):
    shutil.copytree(folder / "a", tmp_path / "a")
    (tmp_path / "a" / "checkpoints" / "step-00000003").rename(tmp_path / "a" / "checkpoints" / "step-00000002")
    assert RunSummary.of(tmp_path / "a").steps_done == 3


def test_the_newest_run_comes_first_and_a_broken_one_is_named(folder, tmp_path):
    (folder / "broken").mkdir(exist_ok=True)
    (folder / "broken" / "run.json").write_text("{")
    found, wrong = list_runs(folder)
    assert [run.config.out.name for run in found] == ["b", "a"]
    assert list(wrong) == [folder / "broken"] and "run.json is not JSON" in wrong[folder / "broken"]
    head, *lines = table_of(found, wrong).splitlines()
    assert lines.pop().startswith(f"{folder / 'broken'}") and "  damaged: " in table_of(found, wrong)
    assert head.split() == ["run", "text", "shape", "steps", "loss", "validation", "changed"]
    assert "1970-01-01" in lines[1] and "3 of 3" in lines[0]


@pytest.mark.parametrize(
    "row",
    [
        "{}",
        '{"step": 0}',
        '{"step": null, "loss": 1.0}',
        '{"step": "0", "loss": 1.0}',
        '{"step": true, "loss": 1.0}',
        '{"step": 0, "loss": null}',
        '{"step": 0, "loss": 1' + "0" * 400 + "}",
        '{"step": 0, "loss": 1.0, "validation_loss": []}',
    ],
)
def test_a_row_of_the_log_that_is_none_is_one_error_and_one_line_of_the_list(folder, tmp_path, row):
    for name in ("damaged", "whole"):
        shutil.copytree(folder / "a", tmp_path / name)
    log = tmp_path / "damaged" / "log.jsonl"
    log.write_text(log.read_text() + row + "\n")
    with pytest.raises(ValueError, match=r"log\.jsonl can't be used: row 4 is .*, expected the numbers step and loss"):
        RunSummary.of(tmp_path / "damaged")
    found, wrong = list_runs(tmp_path)
    assert [run.config.out.name for run in found] == ["whole"]
    *_, whole, damaged = table_of(found, wrong).splitlines()
    assert "3 of 3" in whole and damaged.startswith(str(tmp_path / "damaged")) and "damaged: " in damaged


@pytest.mark.parametrize("name", ["log.jsonl", "run.json"])
def test_a_part_that_is_no_plain_file_is_named(folder, tmp_path, name):
    shutil.copytree(folder / "a", tmp_path / "a")
    (tmp_path / "a" / name).unlink()
    (tmp_path / "a" / name).mkdir()
    with pytest.raises(ValueError, match=rf"{name} is not a plain file"):
        RunSummary.of(tmp_path / "a")


def test_a_model_that_can_not_be_built_is_one_error(folder, tmp_path):
    shutil.copytree(folder / "a", tmp_path / "a")
    saved = json.loads((tmp_path / "a" / "run.json").read_text())
    saved["model"] |= {"d_model": 10**12, "n_heads": 1}
    (tmp_path / "a" / "run.json").write_text(json.dumps(saved))
    with pytest.raises(ValueError, match=r"run\.json"):
        RunSummary.of(tmp_path / "a")


@pytest.mark.parametrize(("n", "words"), [(1, "1 layer"), (2, "2 layers"), (2000, "2,000 layers"), (0, "0 layers")])
def test_one_is_singular(n, words):
    assert counted(n, "layer") == words


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere in .*; go to where you trained"):
        list_runs(tmp_path / "nowhere")


def test_columns_are_those_of_the_terminal_where_a_chinese_character_takes_two(folder):
    run = list_runs(folder)[0][0]
    chinese = dataclasses.replace(run, config=run.config.changed(out=Path("运行")))
    lines = table_of([run, chinese]).splitlines()[1:]
    assert len({columns_of(line[: line.index(run.text)]) for line in lines}) == 1 and columns_of("运行 a") == 6


def test_in_chinese_only_settings_and_their_values_are_english(folder, in_chinese, tmp_path):
    found, _ = list_runs(folder)
    table = table_of(found, {tmp_path: "why"})
    head, *rows, damaged = table.splitlines()
    assert not in_chinese(head) and damaged.endswith("已损坏：why") and "3/3" in rows[0]
    titles, *parts = str(RunSummary.of(folder / "a")).replace(str(folder), "").split("\n\n")
    assert in_chinese(titles) <= {"step"} and "已完成 3/3 步" in titles and "检查点：step-00000003" in titles
    assert [part.splitlines()[0] for part in parts] == ["source", "model", "training"]
