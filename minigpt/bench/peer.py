"""The peers that our models are measured beside: transformers' GPT-2, and the GPT of a nanoGPT checkout."""

import contextlib
import importlib.util
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minigpt.model import GPTConfig


@contextlib.contextmanager
def quiet_peers() -> Iterator[None]:
    """Keep what other libraries warn of, log and print off the screen: the table says what matters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(before)


def peer_model(config: GPTConfig, **settings: Any) -> Any:
    """A GPT-2 of transformers, a ``GPT2LMHeadModel`` with new weights and without special tokens.

    Args:
        config: whose sizes it has.
        settings: more of ``GPT2Config``.

    Raises:
        ImportError: if transformers is not installed.
    """
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError:
        raise ImportError('the peer is transformers: pip install "minigpt-as-written[hf]"') from None
    shape = {
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
    }
    return GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=None, eos_token_id=None, **settings))


def checkout_model(folder: Path, config: GPTConfig) -> Any:
    """The GPT of a checkout of nanoGPT, with new weights: its ``model.py`` is run where it is.

    Args:
        folder: of the checkout.
        config: whose sizes the model has.

    Raises:
        ValueError: if the folder has no ``model.py`` with nanoGPT's ``GPT`` and ``GPTConfig``.
    """
    path = folder / "model.py"
    spec = importlib.util.spec_from_file_location("minigpt_peer_checkout", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ValueError(f"{folder} has no model.py; give the folder of a checkout of nanoGPT")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks up its own module
    with quiet_peers():
        spec.loader.exec_module(module)
        try:
            shape = {"n_layer": config.n_layers, "n_head": config.n_heads, "n_embd": config.d_model}
            sizes = {"block_size": config.context_length, "vocab_size": config.vocab_size, "dropout": 0.0}
            return module.GPT(module.GPTConfig(**sizes, **shape))
        except (AttributeError, TypeError) as error:
            raise ValueError(f"{path} is not nanoGPT's: {error}; give the folder of a checkout of nanoGPT") from None
