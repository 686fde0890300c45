"""Recipes: which parts and which training settings go together, by name.

A recipe fills fields of a :class:`~minigpt.RunConfig`; what the caller sets explicitly wins over it. None of them fills
a size: for "fast", :func:`hardware_sizes` has those that suit a machine.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from minigpt.settings import check_choice, counted
from minigpt.settings.language import Bilingual
from minigpt.training.processes.hardware import Hardware

CLASSIC = {"norm": "layer", "position": "learned", "qk_norm": False, "mlp": "gelu-tanh", "bias": True}
TODAY = {"norm": "rms", "position": "rope-half", "qk_norm": True, "mlp": "relu2", "bias": False}

# Where somebody is now is the last of several places in the text, so scores should fall with the distance.
RECENT = {"position": "alibi"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named choice of parts and settings.

    Attributes:
        summary: one line in plain words.
        source: fields of ``Source``.
        model: fields of ``GPTConfig``.
        training: fields of ``TrainConfig``.
    """

    summary: str
    source: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def _for_task(
    what: str, *, training: dict[str, Any], model: dict[str, Any] | None = None, reading: float = 0.6
) -> Recipe:
    """A small model with a short convolution, and Muon: a task of the tiny world in minutes on a CPU."""
    return Recipe(
        summary=f"learns {what} within minutes: today's parts, a short convolution, Muon, phrases as tokens",
        source={"tokenizer": "bpe:1024", "reading": reading},
        model={
            **TODAY,
            "n_layers": 3,
            "d_hidden": 256,
            "context_length": 256,
            "convolution": 4,
            "initialisation": "zero",
            **(model or {}),
        },
        training={
            "optimizer": "muon",
            "learning_rate": 0.01,
            "final_learning_rate": 0.0,
            "batch_size": 24,
            "precision": "auto",
            **training,
        },
    )


DEFAULT = "gpt2"

#: The recipes by name.
RECIPES: dict[str, Recipe] = {
    "gpt2": Recipe(
        summary="the parts of GPT-2: LayerNorm, learned positions, GELU; AdamW with warm-up and cosine decay",
        model=CLASSIC,
        training={"learning_rate": None, "rate_at_128": 2e-3},
    ),
    "fast": Recipe(
        summary="a low loss in the least time: today's parts, a short convolution, an untied head, blocks that start "
        "as the identity; Muon at a rate that falls to 0, products in 16 bits, compiled where that pays",
        model={**TODAY, "convolution": 4, "tied_head": False, "initialisation": "zero"},
        training={
            "learning_rate": None,
            "rate_at_128": 1.7e-3,
            "optimizer": "muon",
            "schedule": "linear",
            "final_learning_rate": 0.0,
            "clip_norm": math.inf,
            "precision": "auto",
            "compile": "auto",
        },
    ),
    "as-written": Recipe(
        summary="the fine-tuning script of the seed document, section 4: documents padded and cut to the context, Adam "
        "at a rate of 0.001 that stays, batches of 32, 10 epochs",
        model={"dropout": 0.0},  # from_pretrained leaves a model in evaluation mode, and the script never changes that
        training={
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "schedule": "constant",
            "warmup_steps": 0,
            "beta_2": 0.999,
            "weight_decay": 0.0,
            "clip_norm": math.inf,
            "batch_size": 32,
        },
        source={"tokenizer": "gpt2", "documents": True, "epochs": 10},
    ),
    "story": _for_task(  # a story has only one ending to learn from, so a small model that reads many of them
        "to tell the stories of the tiny world",
        reading=0.0,
        model={"n_layers": 2, "n_heads": 8, "d_hidden": 128, **RECENT},
        training={"steps": 3700, "batch_size": 32, "learning_rate": 0.015},
    ),
    "translate": _for_task("to translate the stories of the tiny world", training={"steps": 2000}, reading=0.0),
    "qa": _for_task("to answer questions about the stories of the tiny world", training={"steps": 3000}, model=RECENT),
    "dialogue": _for_task("to talk about the stories of the tiny world", training={"steps": 4800}, model=RECENT),
}


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Args:
        name: one of :data:`RECIPES`.

    Raises:
        ValueError: if there is none.
    """
    check_choice("recipe", name, RECIPES)
    return RECIPES[name]


class FastSizes(NamedTuple):
    """Sizes of a run of "fast", and what they need.

    Attributes:
        n_layers: L, number of blocks.
        d_model: D, width of the residual stream.
        n_heads: H, number of heads.
        context_length: T, in tokens.
        batch_size: sequences of an update.
        memory: GiB of a step in float32 with a vocabulary as large as GPT-2's, rounded up.
        core_seconds: a step's on one core with bfloat16 instructions, measured on two; ``None``: for a GPU.
    """

    n_layers: int
    d_model: int
    n_heads: int
    context_length: int
    batch_size: int
    memory: float
    core_seconds: float | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """As fields of a :class:`minigpt.RunConfig`."""
        return {name: size for name, size in self._asdict().items() if name not in ("memory", "core_seconds")}


FAST_SIZES = (  # the largest first
    FastSizes(12, 768, 12, 1024, 32, memory=42.7),
    FastSizes(12, 768, 12, 1024, 8, memory=11.8),
    FastSizes(8, 512, 8, 512, 16, memory=8.0),
    FastSizes(6, 384, 6, 256, 32, memory=6.6),
    FastSizes(6, 384, 6, 256, 8, memory=2.1, core_seconds=0.63),
    FastSizes(4, 192, 3, 256, 12, memory=2.2, core_seconds=0.19),
    FastSizes(2, 128, 4, 64, 32, memory=1.4, core_seconds=0.06),
)
STEP_SECONDS = 0.15  # 2,000 steps in five minutes
FP32_TAKES = 2.2  # times as long as 16 bits, on a CPU that multiplies both
MOST_OF_MEMORY = 0.8
PARAMETERS_A_BYTE, LEAST_CONTEXTS = 20, 100  # a byte of text; of a text, so that its tenth has ten to be tested on


def hardware_sizes(hardware: Hardware, n_bytes: int | None = None) -> tuple[FastSizes, str]:
    """The sizes that the recipe "fast" has on a machine where none are named, and why, in a sentence.

    They are the largest of :data:`FAST_SIZES` that three things allow: the time of a step on a CPU, the memory of the
    GPU or else of the machine, and the text, which a large model learns by heart. Times are measured, for other numbers
    of cores in proportion; memory is computed. What a GPU takes was not measured.

    Args:
        hardware: what computes.
        n_bytes: of the text; ``None``: as much as is needed.
    """
    possible = [sizes for sizes in FAST_SIZES if hardware.gpu is not None or sizes.core_seconds is not None]
    against = Bilingual("there is no larger one in the table", "表中没有更大的")
    for sizes in possible:
        found = next(_against(sizes, hardware, n_bytes), None)
        if found is None or sizes is possible[-1]:
            break
        against = found
    shape = f"{sizes.n_layers} × {sizes.d_model}"
    return sizes, Bilingual(
        f"{shape}, context {sizes.context_length:,}: {against.en}",
        f"{shape}，上下文 {sizes.context_length:,}：{against.zh}",
    ).spoken()


def _against(sizes: FastSizes, hardware: Hardware, n_bytes: int | None) -> Iterator[Bilingual]:
    """What does not allow sizes, said of them as the next larger ones."""
    cores = min(hardware.cores, hardware.threads)
    memory, owner = (hardware.memory, "") if hardware.gpu is None else (hardware.gpu_memory, f" of the {hardware.gpu}")
    if n_bytes is not None and (
        12 * sizes.n_layers * sizes.d_model**2 > PARAMETERS_A_BYTE * n_bytes
        or sizes.context_length * LEAST_CONTEXTS > n_bytes
    ):
        yield Bilingual("the next larger is too large for the text", "再大一档对这段文本来说太大")
    if memory is not None and sizes.memory * 2**30 > MOST_OF_MEMORY * memory:
        yield Bilingual(
            f"the next larger may need {sizes.memory} GiB of memory, too much for the {memory / 2**30:.1f} GiB{owner}",
            f"再大一档可能需要 {sizes.memory} GiB 内存，而这里只有 {memory / 2**30:.1f} GiB",
        )
    if hardware.gpu is None and sizes.core_seconds is not None:
        seconds = sizes.core_seconds * (1 if hardware.bf16 else FP32_TAKES) / cores
        if seconds > STEP_SECONDS:
            instructions = Bilingual("with", "有") if hardware.bf16 else Bilingual("without", "没有")
            yield Bilingual(
                f"a step of the next larger would take about {seconds:.2f} s on {counted(cores, 'core')} "
                f"{instructions.en} bfloat16 instructions",
                f"在 {cores} 个{instructions.zh} bfloat16 指令的核上，再大一档每步约需 {seconds:.2f} 秒",
            )
