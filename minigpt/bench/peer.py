"""The peer that our models are measured beside: transformers' GPT-2."""

from typing import Any

from minigpt.model import GPTConfig


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
