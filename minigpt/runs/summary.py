"""What a run folder says of its run, without its weights: one run in full, or a line for each run of a folder."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigpt.files.paths import as_path
from minigpt.runs.config import PARTS, RUN_FILE, RunConfig
from minigpt.runs.source import settings_in_effect
from minigpt.settings import counted, to_object
from minigpt.settings.language import Bilingual, columns_of, filled, language
from minigpt.training.report.history import History, is_row
from minigpt.training.storage.folders import checkpoint_folders, step_of

LEAST_SHOWN = 8  # columns of a text or a shape that is cut
_HEADS = Bilingual("run text shape steps loss validation changed", "运行 文本 形状 步数 损失 验证损失 修改时间")
_STEPS, _DAMAGED = Bilingual("{:,} of {:,}", "{:,}/{:,}"), Bilingual("damaged: {}", "已损坏：{}")
_SHAPE = Bilingual("{} × {}, {}, {}", "{} × {}，{}，{}")
_DONE = Bilingual("{}: {:,} of {}, {}, changed {}", "{}：已完成 {:,}/{}，{}，修改于 {}")
_LOSSES = Bilingual(
    "loss {}, validation {} nats per token; checkpoints: {}", "损失 {}，验证损失 {}（奈特/词元）；检查点：{}"
)
_NONE, _BETWEEN = Bilingual("none", "无"), Bilingual(", ", "、")
_COUNTED = {"head": "{:,} 个头", "step": "{:,} 步", "parameter": "{:,} 个参数"}
DEPTH = 3  # folders below the one that is listed in which runs are looked for


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """A run at a glance.

    Attributes:
        config: the plan that it was started with.
        n_parameters: numbers that are trained.
        steps_done: updates that its log or its newest checkpoint has behind it, whichever is more.
        loss: of the last update, in nats per token; ``None`` before the first.
        validation_loss: the last one, in nats per token; ``None`` if there was none.
        checkpoints: names of its checkpoints, oldest first.
        changed: when its log last changed, in seconds since 1970.
    """

    config: RunConfig
    n_parameters: int
    steps_done: int
    loss: float | None
    validation_loss: float | None
    checkpoints: tuple[str, ...]
    changed: float

    @classmethod
    def of(cls, out: Path | str) -> "RunSummary":
        """The summary of a run folder.

        Raises:
            ValueError: if the folder holds no run, or its ``run.json`` or its log can't be used.
        """
        out = as_path(out, "out")
        config, log = RunConfig.read(out), out / "log.jsonl"
        history = read_log(log) if log.exists() else History()
        return cls(
            config=config,
            n_parameters=config.model.n_parameters,
            steps_done=steps_done(out, history),
            loss=history.rows[-1]["loss"] if history.rows else None,
            validation_loss=history.validation_loss,
            checkpoints=tuple(path.name for path in checkpoint_folders(out / "checkpoints")),
            changed=(log if log.is_file() else out / RUN_FILE).stat().st_mtime,
        )

    @property
    def text(self) -> str:
        """What it reads, in a word."""
        source = self.config.source
        return str(source.task or source.data or source.text or source.corpus)

    @property
    def shape(self) -> str:
        """Layers, width and heads, and the position scheme."""
        model = self.config.model
        return _SHAPE.spoken().format(model.n_layers, model.d_model, _count(model.n_heads, "head"), model.position)

    def to_object(self) -> dict[str, Any]:
        """As what JSON can hold."""
        names = ("n_parameters", "steps_done", "loss", "validation_loss", "checkpoints", "changed")
        return {"out": str(self.config.out), **{name: getattr(self, name) for name in names}, **_parts(self.config)}

    def __str__(self) -> str:
        training = self.config.training
        sizes = _count(training.steps, "step"), _count(self.n_parameters, "parameter")
        checkpoints = _BETWEEN.spoken().join(self.checkpoints) or _NONE.spoken()
        lines = [
            _DONE.spoken().format(self.config.out, self.steps_done, *sizes, _when(self.changed)),
            _LOSSES.spoken().format(_number(self.loss), _number(self.validation_loss), checkpoints),
        ]
        known = settings_in_effect(self.config.source)
        for part, settings in _parts(self.config).items():
            if part == "source":
                settings = {name: value for name, value in settings.items() if name in known}
            lines += ["", part, *(f"  {name:26}{_shown(value)}" for name, value in settings.items())]
        return "\n".join(lines)


def steps_done(out: Path, history: History) -> int:
    """The updates of a run: those of its log, or of its newest checkpoint where the log lacks rows.

    Args:
        out: the run folder.
        history: what its log holds.
    """
    saved = map(step_of, checkpoint_folders(out / "checkpoints")[-1:])
    logged = (int(row["step"]) + 1 for row in history.rows[-1:])
    return max((0, *saved, *logged))


def list_runs(folder: Path | str) -> tuple[list[RunSummary], dict[Path, str]]:
    """The runs below a folder, the newest first, and by their folders what is wrong with those that can't be read.

    Args:
        folder: is searched three folders deep.

    Raises:
        ValueError: if there is no such folder.
    """
    folder = as_path(folder, "folder")
    if not folder.is_dir():
        where = f"{folder} in {Path.cwd()}; go to where you trained, or name the folder of your runs"
        raise ValueError(f"there is no folder {where}")
    found, wrong = [], {}
    for path in sorted(file for depth in range(DEPTH + 1) for file in folder.glob("*/" * depth + RUN_FILE)):
        try:
            found.append(RunSummary.of(path.parent))
        except (ValueError, OSError) as error:
            wrong[path.parent] = str(error)
    return sorted(found, key=lambda run: -run.changed), wrong


def table_of(runs: list[RunSummary], wrong: Mapping[Path, str] | None = None, columns: int | None = None) -> str:
    """A line for each run: folder, text, shape, steps, losses and when; at the end those that can't be read, and why.

    Args:
        runs: as :func:`list_runs` returns them, and ``wrong`` too.
        wrong: messages by the folder.
        columns: of a terminal: in a wider table the text and the shape are cut, with … where something is missing;
            ``None`` cuts nothing.
    """
    rows = [tuple(_HEADS.spoken().split())]
    for run in runs:
        steps = _STEPS.spoken().format(run.steps_done, run.config.training.steps)
        losses = _number(run.loss), _number(run.validation_loss)
        rows.append((str(run.config.out), run.text, run.shape, steps, *losses, _when(run.changed)))
    damaged = {str(path): message for path, message in (wrong or {}).items()}
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    widths[0] = max([widths[0], *map(columns_of, damaged)])
    for i in (1, 2):
        over = 0 if columns is None else sum(widths) + 2 * (len(widths) - 1) - columns
        widths[i] = max(min(widths[i], LEAST_SHOWN), widths[i] - max(0, over))
    cut = [(row[0], _end(row[1], widths[1]), _start(row[2], widths[2]), *row[3:]) for row in rows]
    lines = ["  ".join(map(filled, row, widths)).rstrip() for row in cut]
    told = (f"{filled(path, widths[0])}  {_DAMAGED.spoken().format(why)}" for path, why in damaged.items())
    return "\n".join([*lines, *told])


def _end(text: str, columns: int) -> str:
    """The end of a text that is too wide, such as the name of a file."""
    return text if columns_of(text) <= columns else "…" + _start(text[::-1], columns, "")[::-1]


def _start(text: str, columns: int, mark: str = "…") -> str:
    """The start of a text that is too wide."""
    if columns_of(text) <= columns:
        return text
    while columns_of(text) > columns - 1:
        text = text[:-1]
    return text + mark


def read_log(log: Path) -> History:
    """The history in a log.

    Raises:
        ValueError: naming the first row that has no step or no loss.
    """
    history = History.read(log)
    for i, row in enumerate(history.rows):
        if not is_row(row):
            raise ValueError(
                f"{log} can't be used: row {i + 1} is {str(row)[:60]}, expected the numbers step and loss; delete "
                "that line"
            )
    return history


def _count(n: int, noun: str) -> str:
    return _COUNTED[noun].format(n) if language() == "zh" else counted(n, noun)


def _parts(config: RunConfig) -> dict[str, Any]:
    return {name: to_object(config)[name] for name in PARTS}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
