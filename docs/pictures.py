"""The pictures of README and the front page: ``python docs/pictures.py`` trains, draws and writes them (minutes).

It goes on with the run in ``runs/pictures`` if there is one. ``MINIGPT_QUICK=1`` trains for a few steps only, and the
first argument is the folder to write to, ``docs/_static`` by default.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

import minigpt as mg
from minigpt.model import Pattern
from minigpt.plots import BLUE, GREY, ORANGE, new_figure
from minigpt.runs import Run
from minigpt.text.tinyworld import task_rows

QUICK = bool(os.environ.get("MINIGPT_QUICK"))
STEPS = 2 if QUICK else 1200
SMALL: dict[str, Any] = {"tokenizer": "char", "batch_size": 2, "context_length": 64} if QUICK else {}
STORIES = 20 if QUICK else 700  # that the ladder is measured on; the baselines count nine times as many
SIZE = (6, 3.8)  # inches
STATIC = Path(__file__).with_name("_static")


def main(folder: Path) -> None:
    """Write the three pictures."""
    every, out = max(1, STEPS // 12), Path("runs/pictures")
    config = mg.RunConfig.of(task="story", steps=STEPS, eval_every=every, precision="fp32", out=out, **SMALL)
    run = mg.prepare_run(config)
    run.train(resume="auto")
    if len(run.history) < STEPS:
        return  # Ctrl-C; the next call goes on
    for name, figure in {"loss": loss(run), "attention": attention(run), "tiles": tiles()}.items():
        figure.savefig(folder / f"{name}.png", dpi=140, metadata={"Software": None})


def loss(run: Run) -> Figure:
    """The loss of a run among its yardsticks: guessing, what counting can do, and the floor."""
    figure, (axes,) = new_figure()
    figure.set_size_inches(SIZE)
    steps, losses = run.history.column("loss")
    axes.plot(np.array(steps) + 1, losses, color=BLUE, alpha=0.5, linewidth=0.8, label="GPT, training stories")
    steps, losses = run.history.column("validation_loss")
    axes.plot(np.array(steps) + 1, losses, "o-", color=ORANGE, markersize=4, label="GPT, stories not trained on")
    for name, rung in baselines(run).items():
        yardstick(axes, name, rung.nats_per_token)
    axes.set(xlabel="training step", ylabel="loss (nats per token)", ylim=(0, None), xlim=(0, STEPS))
    axes.legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.57))
    return figure


def yardstick(axes: Axes, name: str, nats: float) -> None:
    """A line across, named and with its height; two that are close have their names on either side."""
    floor = name == "floor"
    axes.axhline(nats, color="black" if floor else GREY, linestyle=":", linewidth=1.8 if floor else 1.2)
    words = {"uniform": "guessing", "floor": "the floor: no model can expect less"}.get(name, name)
    side = "top" if name in ("5-gram", "floor") else "bottom"
    axes.annotate(
        f"{words}  {nats:.2f}",
        (STEPS, nats),
        (-2, -2 if side == "top" else 1),
        textcoords="offset points",
        ha="right",
        va=side,
    )


def baselines(run: Run) -> dict[str, mg.Evaluation]:
    """The rungs that count tokens, and the floor; in nats per token of stories not trained on."""
    tokenizer, held_out = run.tokenizer, mg.TinyWorld(split="validation")
    learnt, told = (
        np.array(tokenizer.encode("\n" + world.text(n)))
        for world, n in ((mg.TinyWorld(), 9 * STORIES), (held_out, STORIES))
    )
    rows = task_rows("story", held_out, tokenizer, run.model.config.context_length, STORIES)
    rungs = mg.ladder(learnt, told, tokenizer, floor=rows.floor).rungs
    return {name: rungs[name] for name in ("uniform", "unigram", "bigram", "5-gram", "floor")}


def attention(run: Run) -> Figure:
    """Where a model looks that has to say who has the thing: the mean of its heads, as colour behind the words."""
    story = mg.TinyWorld(split="test").story(5)
    told = "\n" + story[: story.rindex(" was with ") + len(" was with ")]
    ids = run.tokenizer.encode(told)
    model, inputs = run.model, torch.tensor([ids])[:, -run.model.config.context_length :]
    looks = torch.stack([weights_of(block, model, inputs)[:, -1] for block in model.blocks]).mean((0, 1))
    likely = torch.softmax(model(inputs)[0, -1], -1).max(0)
    words = [run.tokenizer.decode([token]).strip("\n") for token in inputs[0].tolist()]
    answer = run.tokenizer.decode([int(likely.indices)]).strip()
    figure = Figure(figsize=SIZE)
    figure.suptitle(f"Who has it? The model says “{answer}”, with probability {likely.values:.2f}.", x=0.02, ha="left")
    highlighted(figure.add_axes((0.02, 0.02, 0.96, 0.87)), words, (looks / looks[1:].max()).clamp(max=1).tolist())
    return figure


def highlighted(axes: Axes, words: list[str], shades: list[float], width: int = 44) -> None:
    """Words on lines of at most ``width`` characters, a colour behind each."""
    column, line, size = 0, 0, 0.96 * SIZE[0] * 72 / width / 0.602  # a letter of this font is 0.602 of its size wide
    for piece, shade in (
        (part, s) for word, s in zip(words, shades, strict=True) for part in re.findall(r" *\S+ *| +", word)
    ):
        if column + len(piece.rstrip()) > width:
            column, line = 0, line + 1
        piece = piece if column else piece.lstrip()
        axes.add_patch(Rectangle((column, line - 0.42), len(piece), 0.84, color=BLUE, alpha=0.75 * shade, linewidth=0))
        axes.text(column, line, piece, family="DejaVu Sans Mono", fontsize=size, va="center_baseline")
        column += len(piece)
    axes.set(xlim=(0, width), ylim=(max(line, 5) + 0.6, -0.6))
    axes.set_axis_off()


def weights_of(block: nn.Module, model: mg.GPT, ids: Tensor) -> Tensor:
    """The attention weights ``(H, T, T)`` of one block, taken where it computes them."""
    attend, taken = block.attention.attend, []

    def watched(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
        positions = torch.eye(k.shape[2]).expand(*k.shape[:3], -1)  # a value that says where it stands
        taken.append(attend(q, k, positions, pattern)[0])
        return attend(q, k, v, pattern)

    block.attention.attend = watched
    with torch.no_grad():
        model(ids)
    block.attention.attend = attend
    return taken[0]


def tiles() -> Figure:
    """The tiles that attention with a window visits."""
    q, k, v = torch.randn(3, 256, 16, generator=torch.Generator().manual_seed(0))
    tiled = mg.learn.tiled_attention(q, k, v, blocks=(32, 32), window=96)
    figure = tiled.plot()
    figure.set_size_inches(SIZE)
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else STATIC)
