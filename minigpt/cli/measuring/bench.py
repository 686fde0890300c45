"""The command that measures the library beside known peers: `minigpt bench`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import tyro
from tqdm import tqdm

from minigpt import bench
from minigpt.cli.output import PICTURE, as_json, print_json, reason_of, save_picture
from minigpt.files.atomic import write_atomically
from minigpt.model import GPTConfig
from minigpt.settings.language import Bilingual
from minigpt.training.processes.device import choose_device

Name = Literal["train", "generate", "attention", "tokenizer", "loss", "memory", "gpu"]
QUICK = 2  # rounds
_FIGURES, _THESE = Bilingual("figures: {}", "数值：{}"), Bilingual("these figures", "这些数值")
_NO_TRITON = Bilingual(
    "triton: not here (pip install triton, on Linux); its timings need a GPU",
    "triton：这里没有（在 Linux 上用 pip install triton 安装）；测量它的时间需要 GPU",
)
_ON_GPU = Bilingual(
    "triton: its largest error against float64 is {:.0e} in float32",
    "triton：float32 下与 float64 相比的最大误差为 {:.0e}",
)
_INTERPRETED = Bilingual(
    "triton: run by Triton's interpreter, its largest error against float64 is {:.0e} in float32;\n"
    "its timings need a GPU: an interpreter's say nothing about one",
    "triton：由 Triton 的解释器运行，float32 下与 float64 相比的最大误差为 {:.0e}；\n"
    "测量它的时间需要 GPU：解释器的时间不能说明 GPU 上的速度",
)
QUICK_GPT = GPTConfig(vocab_size=8192, context_length=256, d_model=256, n_layers=4, n_heads=4)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure this library beside known peers, in one run on this machine.

    Without a name, it measures the training step; with --quick and no name, everything but the GPU in about a minute.

    Attributes:
        what: "train": the training step beside transformers' GPT-2. "generate": greedy generation beside that of
            transformers. "attention": our Triton kernel beside PyTorch's attention, FlexAttention and the formula, on a
            GPU; on the CPU the formula beside PyTorch's. "tokenizer": byte pairs beside tokenizers and
            tiktoken. "loss": the loss of a head beside PyTorch's. "memory": of attention against the length, and of a
            training step beside transformers'. "gpu": everything that waits for a GPU, in some minutes, into one JSON
            file.
        quick: small sizes and few rounds: an impression, not a result.
        rounds: how often each is timed, in turn; the median counts (default: 9; generate: 3).
        lengths: of attention and its memory, T in positions (default: a few that suit the device).
        device: of train, attention, loss and memory: "auto", "cpu" or "cuda".
        compile: train also with torch.compile, ours and the peers; some minutes, and a C++ compiler.
        peer_checkout: checkout of nanoGPT to train beside; its model.py is run.
        dry: of gpu: the same plan in tiny sizes on the CPU, to see that it runs.
        out: a folder for a picture and a JSON file of each.
        json: print the figures as JSON.
    """

    what: tyro.conf.Positional[Name | None] = None
    quick: bool = False
    rounds: int | None = None
    lengths: tuple[int, ...] = ()
    device: str = "auto"
    compile: bool = False
    peer_checkout: Path | None = None
    dry: bool = False
    out: Path = Path("runs/bench")
    json: bool = False

    def __call__(self) -> None:
        """Print a table for each."""
        if self.what == "gpu":
            self._gpu()
            return
        everything = self.quick and self.what is None
        names = [name for name in get_args(Name) if name != "gpu"] if everything else [self.what or "train"]
        found = {}
        for name in tqdm(names, "bench", leave=False, disable=not everything):
            found[name], told = self._measured(name)
            if not self.json:
                with tqdm.external_write_mode():
                    print(told, end="\n\n" if everything else "\n")
        if self.json:
            print_json(found if everything else found[names[0]])

    def _measured(self, name: str) -> tuple[dict[str, Any], str]:
        """Measure one and write its files; returns its figures as JSON has them, and what to print of it."""
        report = MEASURES[name](self)
        figures, told = report.to_json() | {"quick": self.quick}, [str(report)]
        if name == "attention":
            figures["kernel"] = kernel_figures(choose_device(self.device))
            told.append(about_the_kernel(figures["kernel"]))
        if (busy := bench.busy_line(_THESE.spoken())) is not None:
            told.append(busy)
        path, plot = self.out / f"{name}.png", getattr(report, "plot", None)
        if plot is not None:
            picture = save_picture(plot, path, kept="the figures are complete")
            figures["picture"] = picture if picture == str(path) else None
            told.append(PICTURE.spoken().format(picture))
        told.append(_FIGURES.spoken().format(_written(self.out / f"{name}.json", figures)))
        return figures, "\n".join(told)

    def _gpu(self) -> None:
        found = bench.measure_gpu(self.out, dry=self.dry)
        if self.json:
            print_json(found)
        else:
            print("\n".join([*bench.gpu_lines(found), _FIGURES.spoken().format(self.out / "gpu.json")]))

    @property
    def n_rounds(self) -> int:
        """How often each is timed."""
        return self.rounds if self.rounds is not None else QUICK if self.quick else 9


def _written(path: Path, figures: dict[str, Any]) -> str:
    """Write the figures into a file; returns what to print as its place."""
    try:
        write_atomically(path, as_json(figures).encode())
    except (OSError, ValueError) as error:
        return f"not written: {reason_of(error)}"
    return str(path)


def _train(asked: Bench) -> bench.TrainingBench:
    device = choose_device(asked.device)
    shapes = bench.SHAPES[:1] if asked.quick else ()
    return bench.measure_training(
        asked.n_rounds, shapes, device=device, compiled=asked.compile, checkout=asked.peer_checkout
    )


def _generate(asked: Bench) -> bench.GenerationBench:
    if asked.quick:
        return bench.measure_generation(asked.n_rounds, QUICK_GPT, n_prompt=16, n_new=48)
    return bench.measure_generation(3 if asked.rounds is None else asked.rounds)


def _attention(asked: Bench) -> bench.AttentionBench:
    lengths = asked.lengths or ((128, 512) if asked.quick else ())
    return bench.measure_attention(choose_device(asked.device), lengths, asked.n_rounds)


def _tokenizer(asked: Bench) -> bench.TokenizerBench:
    if asked.quick:
        return bench.measure_tokenizers(asked.n_rounds, 10**6, 2048)
    return bench.measure_tokenizers(asked.n_rounds)


def _loss(asked: Bench) -> bench.LossBench:
    device = choose_device(asked.device)
    if asked.quick:
        return bench.measure_loss(asked.n_rounds, (65, 8192), n_rows=512, device=device)
    return bench.measure_loss(asked.n_rounds, device=device)


def _memory(asked: Bench) -> bench.MemoryBench:
    device = choose_device(asked.device)
    if asked.quick:
        return bench.measure_memory(asked.lengths or (256, 512, 1024), bench.SHAPES[:1], device=device)
    return bench.measure_memory(asked.lengths, device=device)


#: What measures each, by its name.
MEASURES: dict[str, Callable[[Bench], Any]] = {
    "train": _train,
    "generate": _generate,
    "attention": _attention,
    "tokenizer": _tokenizer,
    "loss": _loss,
    "memory": _memory,
}


def kernel_figures(device: torch.device) -> dict[str, Any] | None:
    """The Triton kernel's largest error in float32 against float64, and what ran it; ``None`` without triton.

    Args:
        device: where attention was measured.
    """
    if find_spec("triton") is None:
        return None
    if device.type == "cuda":
        return {"largest_error": bench.kernel_error(), "run_by": "GPU"}
    return {"largest_error": bench.interpreted_error(), "run_by": "interpreter"}


def about_the_kernel(figures: dict[str, Any] | None) -> str:
    """Whether the Triton kernel is right here; and that a CPU says nothing about its speed.

    Args:
        figures: of :func:`kernel_figures`.
    """
    if figures is None:
        return _NO_TRITON.spoken()
    found = _ON_GPU if figures["run_by"] == "GPU" else _INTERPRETED
    return found.spoken().format(figures["largest_error"])
