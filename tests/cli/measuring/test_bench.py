"""minigpt/cli/measuring/bench.py: what is measured for which words, and written."""

import json
from typing import get_args

import pytest

from minigpt import bench
from minigpt.cli import main
from minigpt.cli.measuring import bench as command


class Report:
    """A report of nothing."""

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return f"table of {self.name}"

    def to_json(self):
        return {"of": self.name, "ratio": float("nan")}

    def plot(self):
        from minigpt.plots import new_figure

        return new_figure()[0]


@pytest.fixture
def asked(monkeypatch):
    """What was measured, with the command that asked for it; nothing is."""
    seen = []

    def measure(name):
        return lambda command: seen.append((name, command)) or Report(name)

    monkeypatch.setattr(command, "MEASURES", {name: measure(name) for name in command.MEASURES})
    monkeypatch.setattr(command, "kernel_figures", lambda device: None)
    monkeypatch.setattr(bench, "busy_line", lambda what: None)
    return seen


def test_every_name_is_measured():
    assert {*command.MEASURES, "gpu"} == set(get_args(command.Name))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["train"]),
        (["loss"], ["loss"]),
        (["loss", "--quick"], ["loss"]),
        (["--quick"], ["train", "generate", "attention", "tokenizer", "loss", "memory"]),
    ],
)
def test_one_is_measured_or_all_of_them_quickly(asked, tmp_path, capsys, words, names):
    main(["bench", *words, "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert [name for name, _ in asked] == names
    assert [line for line in printed.splitlines() if line.startswith("table")] == [f"table of {name}" for name in names]
    for name in names:
        assert f"picture: {tmp_path / name}.png\nfigures: {tmp_path / name}.json" in printed
        assert json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["of"] == name


def test_json_is_all_that_is_printed_and_has_no_nan(asked, tmp_path, capsys):
    main(["bench", "loss", "--json", "--out", str(tmp_path)])
    figures = json.loads(capsys.readouterr().out)
    picture = str(tmp_path / "loss.png")
    assert figures == {"of": "loss", "ratio": None, "quick": False, "picture": picture}
    main(["bench", "--quick", "--json", "--out", str(tmp_path)])
    assert len(json.loads(capsys.readouterr().out)) == 6


def test_quick_is_two_rounds_unless_they_are_given(asked, tmp_path):
    for words in ([], ["--quick"], ["--quick", "--rounds", "4"]):
        main(["bench", "loss", *words, "--out", str(tmp_path)])
    assert [command.n_rounds for _, command in asked] == [9, 2, 4]


def test_a_busy_machine_is_told(asked, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "busy_line", lambda what: f"this machine is busy: {what} may be far off")
    main(["bench", "loss", "--out", str(tmp_path)])
    assert "this machine is busy: these figures may be far off" in capsys.readouterr().out


def test_a_report_without_a_picture_has_its_figures(asked, tmp_path, monkeypatch, capsys):
    monkeypatch.delattr(Report, "plot")
    main(["bench", "generate", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "picture" not in printed and "figures: " in printed


def test_where_nothing_can_be_written_the_table_is_printed(asked, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "write_atomically", full)
    main(["bench", "loss", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "table of loss" in printed and "figures: not written: the disk is full" in printed


@pytest.mark.parametrize("name", ["train", "generate", "tokenizer", "loss", "memory"])
@pytest.mark.parametrize("quick", [True, False])
def test_what_is_measured_is_what_was_asked_for(monkeypatch, tmp_path, name, quick):
    seen = []
    functions = {"train": "training", "generate": "generation", "tokenizer": "tokenizers"}
    of = f"measure_{functions.get(name, name)}"
    monkeypatch.setattr(bench, of, lambda *given, **options: seen.append((given, options)) or Report(name))
    options = ["--quick"] if quick else []
    if name == "train":
        options += ["--compile", "--peer-checkout", str(tmp_path)]
    main(["bench", name, "--device", "cpu", *options, "--out", str(tmp_path)])
    ((given, options),) = seen
    if name != "memory":
        assert given[0] == (2 if quick else 3 if name == "generate" else 9)
    if name == "train":
        assert given[1] == (bench.SHAPES[:1] if quick else ())
        assert (options["compiled"], options["checkout"]) == (True, tmp_path)
    elif name == "memory":
        assert given == (((256, 512, 1024), bench.SHAPES[:1]) if quick else ((),))
    else:
        assert (len(given) > 1) == quick


def test_everything_for_a_gpu_is_one_file(monkeypatch, tmp_path, capsys):
    found = {"machine": "a GPU", "dry": True, "parts": {"kernels": {"figures": [1]}}}
    asked = []
    monkeypatch.setattr(bench, "measure_gpu", lambda out, dry: asked.append((out, dry)) or found)
    main(["bench", "gpu", "--dry", "--out", str(tmp_path)])
    assert asked == [(tmp_path, True)]
    assert capsys.readouterr().out.splitlines() == [
        "a GPU, a dry run: no figure of it says anything about speed",
        "kernels     measured",
        f"figures: {tmp_path / 'gpu.json'}",
    ]
    main(["bench", "gpu", "--dry", "--out", str(tmp_path), "--json"])
    assert json.loads(capsys.readouterr().out) == found


def test_in_chinese_what_is_said_around_a_table_is_chinese(asked, in_chinese, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "busy_line", lambda what: what)
    main(["bench", "attention", "--out", str(tmp_path)])
    told = capsys.readouterr().out.replace(str(tmp_path), "")
    assert in_chinese(told) <= {"table", "attention", "triton", "inux", "install", "json"}
    assert {"这些数值", "图片：/attention.png", "数值：/attention.json"} <= set(told.splitlines())
    for run_by in ("GPU", "interpreter"):
        told = command.about_the_kernel({"run_by": run_by, "largest_error": 2e-7})
        assert "2e-07" in told and in_chinese(told) <= {"triton", "riton", "float"}
