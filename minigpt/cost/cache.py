r"""The memory that a model needs beside its weights while it writes: the keys and values of all positions so far.

Dimensions: L layers, G key/value heads, E head width, T positions, b sequences.
"""

from minigpt.equations import equation
from minigpt.model import GPTConfig
from minigpt.model.cache import SPARE


@equation(
    "kv-cache-bytes",
    r"M = 2 s L G E \min(T, w) b",
    symbols={
        "s": "() bytes of a number",
        "L": "() layers",
        "G": "() key/value heads",
        "E": "() head width",
        "T": "() positions so far",
        "w": "() window: positions that a query sees; at least T for the whole past",
        "b": "() sequences at once",
        "M": "() bytes of all keys and values",
    },
    source="a key and a value for each layer, head and position that is still seen",
)
def kv_cache_bytes(config: GPTConfig, n_positions: int, n_sequences: int = 1, *, word: int = 4) -> int:
    """M: bytes of the keys and values of all positions that a next query can see.

    A :class:`minigpt.model.cache.Cache` takes more where layers have a window or a convolution: :func:`cache_bytes`.

    Args:
        config: the model's shape.
        n_positions: T, positions so far, in tokens.
        n_sequences: b, sequences at once.
        word: s, bytes of a number: 4 in float32, 2 in bfloat16 and float16.
    """
    seen = sum(n_positions if window is None else min(n_positions, window) for window in config.windows)
    return 2 * word * config.kv_heads * config.head_width * seen * n_sequences


def cache_bytes(config: GPTConfig, n_positions: int, n_sequences: int = 1, *, word: int = 4) -> int:
    """Bytes that a :class:`minigpt.model.cache.Cache` for so many positions takes, from its first token on.

    Besides the keys and values of :func:`kv_cache_bytes`, layers with a window keep ``SPARE`` more positions, for
    tokens that are taken back, and convolutions keep their inputs, with as many to spare.

    Args:
        config: the model's shape.
        n_positions: the most tokens that a sequence can have.
        n_sequences: sequences at once.
        word: bytes of a number: 4 in float32, 2 in bfloat16 and float16.
    """
    reaches = [n_positions if window is None else window for window in config.windows]
    slots = sum(min(n_positions, reach + SPARE) for reach in reaches)
    inputs = 0 if config.convolution is None else config.n_layers * min(n_positions, config.convolution + SPARE)
    numbers = 2 * config.kv_heads * config.head_width * slots + config.d_model * inputs
    return word * n_sequences * numbers
