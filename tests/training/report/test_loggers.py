import sys

import pytest

import minigpt as mg
from minigpt.runs import RunConfig
from minigpt.training import LivePlot, TensorBoardLogger, TrainConfig
from minigpt.training.report import loggers as loggers_module

CONFIG = TrainConfig(steps=4, batch_size=4, eval_every=2, checkpoint_every=2, device="cpu")


class Rows:
    """A logger that keeps what it gets."""

    def __init__(self):
        self.rows, self.closed = [], 0

    def log(self, row):
        self.rows.append(dict(row))

    def close(self):
        self.closed += 1


def test_a_logger_of_ones_own_gets_every_row_and_is_closed_once(make_model, data):
    rows = Rows()
    history = mg.train(make_model(), data, CONFIG, validation=data, loggers=[rows], progress=False)
    assert rows.rows == history.rows and rows.closed == 1


def test_a_run_that_breaks_off_closes_its_loggers(make_model, data):
    class Breaks(Rows):
        def log(self, row):
            raise RuntimeError("no more")

    rows = Rows()
    with pytest.raises(RuntimeError, match="no more"):
        mg.train(make_model(), data, CONFIG, loggers=[rows, Breaks()], progress=False)
    assert rows.closed == 1


def scalars(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder)).Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside tensorboard
def test_tensorboard_reads_what_was_logged_and_a_resumed_step_once(tmp_path):
    pytest.importorskip("tensorboard", reason='needs the extra "log"')
    for first in (0, 2):  # the second run does step 2 again
        logger = TensorBoardLogger(tmp_path)
        for step in range(first, 4):
            logger.log({"step": step, "loss": step + first})
        logger.close()
    assert scalars(tmp_path) == {"loss": [(0, 0.0), (1, 1.0), (2, 4.0), (3, 5.0)]}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_with_tensorboard_writes_beside_its_log(tmp_path):
    pytest.importorskip("tensorboard", reason='needs the extra "log"')
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 50)
    out = tmp_path / "run"
    config = RunConfig.of(text=tmp_path / "text.txt", steps=2, batch_size=2, context_length=8, device="cpu", out=out)
    mg.start_run(config.changed(tensorboard=True), progress=False)
    assert {"loss", "validation_loss", "learning_rate"} <= set(scalars(out))
    assert (out / "log.jsonl").exists()


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r'pip install "minigpt-as-written\[log\]"'):
        TensorBoardLogger(tmp_path)


class Display:
    """What a notebook shows, and how often it is changed."""

    def __init__(self):
        self.figures = []

    def __call__(self, figure, display_id):
        self.figures.append(figure)
        return self

    def update(self, figure):
        self.figures.append(figure)


def test_a_notebook_shows_one_curve_that_is_drawn_anew(monkeypatch):
    pytest.importorskip("matplotlib")
    display = Display()
    monkeypatch.setattr(pytest.importorskip("IPython.display"), "display", display)
    monkeypatch.setattr(loggers_module, "in_notebook", lambda: True)
    plot, rare = LivePlot(seconds=0.0, floor=0.25), LivePlot(seconds=1000.0)
    for step in range(3):
        plot.log({"step": step, "loss": 3.0 - step, "validation_loss": 3.5 - step})
    plot.close()
    assert len(display.figures) == 4
    labels = [text.get_text() for text in display.figures[-1].axes[0].get_legend().get_texts()]
    assert labels == ["training, smoothed", "validation, whole split: 1.500", "floor: 0.250"]
    rare._drawn = float("inf")
    rare.log({"step": 0, "loss": 3.0})
    assert len(display.figures) == 4


def test_outside_a_notebook_nothing_is_drawn(capsys):
    plot = LivePlot(seconds=0.0)
    plot.log({"step": 0, "loss": 3.0})
    plot.close()
    assert not loggers_module.in_notebook()
    assert capsys.readouterr() == ("", "")
