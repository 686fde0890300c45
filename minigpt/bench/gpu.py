"""Everything that waits for a GPU, in one run of a few minutes and one JSON file.

Each part is run in turn, and written down as soon as it is done: a part that fails says why, and the others run. No
part starts after the time is up. Dry, the same parts run in tiny sizes on the CPU, the kernels in Triton's interpreter,
so that a plan that works here will not stumble over a typing error there; its times mean nothing and are left out.
"""

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from minigpt.bench.attention.correctness import interpreted, kernel_matrix
from minigpt.bench.attention.speed import measure_attention
from minigpt.bench.attention.tiles import tile_settings, tune_tiles
from minigpt.bench.loss import measure_loss
from minigpt.bench.reports import machine_line
from minigpt.bench.steps import Shape
from minigpt.bench.tokenization import made_up_text
from minigpt.bench.training import GPU_SHAPES, measure_training
from minigpt.bench.turns import CPU
from minigpt.bench.words import DRY, PART_DONE, PART_DONE_IN, TIME_IS_UP
from minigpt.files.atomic import write_atomically

SPEEDRUN = "minigpt.bench.speedrun"
_LIMIT, _DRY_LIMIT = 330.0, 90.0  # seconds after which no part starts
_INTERPRETED = 90.0  # seconds that the kernels have in the interpreter
_TINY = Shape(1, 2, 16, 8, 2)
DRY_KERNELS = """
import json, torch
from minigpt.bench import Setting, tune_tiles
from minigpt.bench.attention.correctness import kernel_matrix
from minigpt.kernels import tile_sizes
all_of_them = tile_sizes.candidates
tile_sizes.candidates = lambda *given: all_of_them(*given)[:2]
setting = Setting(16, 16, True, torch.float16, 1, 1)
tiles = tune_tiles(torch.device("cpu"), "sm_90", [setting], lambda run: (run(), 1.0)[1])
matrix = kernel_matrix((17,), (16,), (torch.float32,))
print(json.dumps({"kernels": matrix, "tiles": {**tiles.to_json(), "entry": tiles.entry()}}))
"""


class GpuPart(NamedTuple):
    """One part of the plan.

    Attributes:
        name: of the part.
        run: does it, and returns the figures.
    """

    name: str
    run: Callable[[], Any]


def gpu_plan(*, dry: bool = False) -> list[GpuPart]:
    """What is measured, in order: what is worth most first, the table of tiles last.

    Args:
        dry: whether the sizes are tiny and no GPU is needed.
    """
    if dry:
        return [
            GpuPart("kernels", lambda: _interpreted_parts()["kernels"]),
            GpuPart("attention", lambda: measure_attention(CPU, (8,), 1).to_json()),
            GpuPart("train", lambda: measure_training(1, [_TINY]).to_json()),
            GpuPart("loss", lambda: measure_loss(1, (65,), n_rows=8, width=16).to_json()),
            GpuPart("speedrun", partial(_speedrun, dry=True)),
            GpuPart("tiles", lambda: _interpreted_parts()["tiles"]),
        ]
    cuda, bf16 = torch.device("cuda"), torch.bfloat16
    return [
        GpuPart("kernels", kernel_matrix),
        GpuPart("attention", lambda: measure_attention(cuda, (4096, 16384), 5, (bf16,)).to_json()),
        GpuPart("train", partial(_training, cuda)),
        GpuPart("loss", lambda: measure_loss(5, n_rows=16384, width=768, device=cuda, dtype=bf16).to_json()),
        GpuPart("speedrun", partial(_speedrun, dry=False)),
        GpuPart("tiles", _tiles),
    ]


@cache
def _interpreted_parts() -> dict[str, Any]:
    """What the kernels do in Triton's interpreter: two parts, for the price of one start."""
    parts: dict[str, Any] = json.loads(interpreted(DRY_KERNELS, _INTERPRETED))
    return parts


def _training(device: torch.device) -> dict[str, Any]:
    """The shape of GPT-2 alone: compiling takes most of the time."""
    return measure_training(5, GPU_SHAPES[1:], device=device, precisions=("bf16",), compiled=True).to_json()


def _tiles() -> dict[str, Any]:
    settings = [setting for setting in tile_settings() if setting.dtype == torch.bfloat16]
    tiles = tune_tiles(torch.device("cuda"), settings=settings)
    return {**tiles.to_json(), "entry": tiles.entry()}


def _speedrun(*, dry: bool) -> Any:
    """The shortest track of the speedrun on this device, where there is one."""
    if find_spec(SPEEDRUN) is None:
        raise ImportError(f"this version has no {SPEEDRUN}")
    room = import_module(SPEEDRUN)
    track = next(iter(room.TRACKS.values()))
    if not dry:
        track = replace(track, settings={**track.settings, "device": "cuda"})
        return room.measure_speedrun([track], yardstick_steps=0).to_json()
    tiny = {"steps": 2, "batch_size": 2, "context_length": 8, "n_layers": 1, "d_model": 16, "n_heads": 2}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text(made_up_text(20_000), encoding="utf-8")
        return room.measure_speedrun([replace(track, **tiny)], text=text, yardstick_steps=0).to_json()


def measure_gpu(
    out: Path,
    *,
    dry: bool = False,
    plan: list[GpuPart] | None = None,
    limit: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Run the plan and write ``out``/gpu.json, part after part.

    Args:
        out: a folder.
        dry: whether the sizes are tiny and no GPU is needed.
        plan: the parts; :func:`gpu_plan`, unless given.
        limit: seconds after which no part starts; ``None`` means 330, and 90 for a dry run.
        clock: returns seconds.

    Returns:
        What the file holds: the machine, and for each part either its figures or why there are none.

    Raises:
        ValueError: if there is no CUDA GPU and it is not a dry run.
    """
    if not dry and not torch.cuda.is_available():
        raise ValueError(
            f"these measurements are of a CUDA GPU, and torch {torch.__version__} finds none here; --dry runs the same "
            "plan in tiny sizes on the CPU"
        )
    device = CPU if dry else torch.device("cuda")
    found: dict[str, Any] = {"machine": machine_line(device), "dry": dry, "parts": {}}
    limit = (_DRY_LIMIT if dry else _LIMIT) if limit is None else limit
    started = clock()
    for part in tqdm(plan or gpu_plan(dry=dry), "GPU", leave=False):
        found["parts"][part.name] = _finite(_told(part, clock() - started > limit, dry=dry, clock=clock))
        write_atomically(out / "gpu.json", json.dumps(found, indent=1).encode())
    return found


def _told(part: GpuPart, is_late: bool, *, dry: bool, clock: Callable[[], float]) -> dict[str, Any]:
    """What became of a part."""
    if is_late:
        return {"skipped": TIME_IS_UP.en}
    started = clock()
    try:
        figures = part.run()
    except Exception as error:  # whatever it is, the other parts are worth having
        return {"skipped": f"{type(error).__name__}: {error}"}
    return {"figures": figures} if dry else {"seconds": clock() - started, "figures": figures}


def _finite(figures: Any) -> Any:
    """The same as JSON can hold it: what is not a finite number is null, and what is no JSON is its text."""
    if isinstance(figures, dict):
        return {str(name): _finite(value) for name, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [_finite(value) for value in figures]
    if isinstance(figures, float) and not math.isfinite(figures):
        return None
    return figures if isinstance(figures, str | int | float | bool | None) else str(figures)


def gpu_lines(found: dict[str, Any]) -> Iterator[str]:
    """What became of each part, a line each.

    Args:
        found: what :func:`measure_gpu` returns.
    """
    yield DRY.spoken().format(found["machine"]) if found["dry"] else found["machine"]
    for name, told in found["parts"].items():
        done = PART_DONE_IN.spoken().format(told["seconds"]) if "seconds" in told else PART_DONE.spoken()
        why = {TIME_IS_UP.en: TIME_IS_UP.spoken()}.get(told.get("skipped"), told.get("skipped"))
        yield f"{name:12}{why or done}"
