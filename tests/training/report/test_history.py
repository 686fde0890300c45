import os
import sys
from pathlib import Path

import pytest

from minigpt.text import TokenDataset
from minigpt.training import History, TrainConfig, train

ROWS = [{"step": s, "loss": 3.0 - s} for s in range(3)]


def test_rows_go_to_the_log_and_back(tmp_path):
    history = History(path=tmp_path / "log.jsonl")
    for row in ROWS:
        history.append(row)
    history.close()
    assert History.read(tmp_path / "log.jsonl").rows == ROWS
    assert History.read(tmp_path / "log.jsonl", before=2).rows == ROWS[:2]


def test_a_line_that_a_crash_cut_off_is_passed_over(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 0, "loss": 3.0}\n{"step": 1, "lo')
    assert History.read(tmp_path / "log.jsonl").rows == ROWS[:1]


@pytest.mark.parametrize(
    "line", [b"[" * 10**6, b"3", b"{}", b"\xff"], ids=["deep", "no object", "no step", "not UTF-8"]
)
def test_a_line_that_is_no_row_is_passed_over(tmp_path, line):
    (tmp_path / "log.jsonl").write_bytes(b'{"step": 0, "loss": 1.0}\n' + line + b'\n{"step": 1, "loss": 0.5}\n')
    assert History.read(tmp_path / "log.jsonl", before=9).column("step")[1] == [0, 1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such device")
@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to(os.devnull)], ids=["folder", "device"])
def test_a_log_that_is_no_plain_file_is_refused_before_it_is_read(tmp_path, make):
    make(tmp_path / "log.jsonl")
    with pytest.raises(ValueError, match=r"log\.jsonl is not a plain file"):
        History.read(tmp_path / "log.jsonl")


@pytest.mark.parametrize(
    "row", ['{"step": "1", "loss": 1.0}', '{"step": true, "loss": 1.0}', '{"step": 1}', '{"step": 1, "loss": null}']
)
def test_a_run_that_continues_passes_over_what_is_no_row(tmp_path, row):
    (tmp_path / "log.jsonl").write_text('{"step": 0, "loss": 3.0}\n' + row + "\n")
    assert History.read(tmp_path / "log.jsonl", before=9).rows == ROWS[:1]


def test_columns_hold_only_the_steps_that_have_them():
    history = History([*ROWS, {"step": 3, "loss": 0.5, "validation_loss": 0.7}])
    assert history.column("validation_loss") == ([3], [0.7])
    assert history.validation_loss == 0.7
    assert repr(history) == "History(4 steps, loss 3.0000 → 0.5000, validation 0.7000)"
    assert repr(History()) == "History(no steps)"


def test_the_plot_shows_training_validation_and_guessing():
    pytest.importorskip("matplotlib")
    figure = History([*ROWS, {"step": 3, "loss": 0.5, "validation_loss": 0.7}]).plot(uniform=4.0, title="a run")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["training, smoothed", "validation, whole split: 0.700", "guessing: 4.000"]
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_known_floor_is_a_line_of_every_plot():
    pytest.importorskip("matplotlib")
    axes = History([*ROWS, {"step": 3, "loss": 0.5, "validation_loss": 0.7}], floor=0.25).plot().axes[0]
    (line,) = [line for line in axes.get_lines() if line.get_label() == "floor: 0.250"]
    assert list(line.get_ydata()) == [0.25, 0.25]


def test_a_run_takes_the_floor_of_the_data_that_it_is_measured_on(make_model, tokenizer):
    text = "the cat sat on the mat. " * 5
    data = TokenDataset(tokenizer.encode(text), 16, vocab_size=tokenizer.vocab_size, floor=0.5)
    history = train(make_model(), data, TrainConfig(steps=1, batch_size=1), validation=data, progress=False)
    assert history.floor == 0.5


def test_a_run_says_what_auto_stood_for_and_a_log_does_not_know_it(make_model, tokenizer, tmp_path):
    data = TokenDataset(tokenizer.encode("the cat sat on the mat. " * 5), 16, vocab_size=tokenizer.vocab_size)
    config = TrainConfig(steps=1, batch_size=1, device="cpu", precision="auto", compile="auto")
    history = train(make_model(), data, config, out=tmp_path, progress=False)
    assert history.config.precision in ("fp32", "bf16-weights") and history.config.compile is False
    assert History.read(tmp_path / "log.jsonl").config is None
