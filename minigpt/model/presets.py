"""Named models."""

from typing import Any

GPT2_VOCABULARY = 50257

#: The fields of each preset, by its name.
PRESETS: dict[str, dict[str, Any]] = {
    "nano": {"context_length": 64, "d_model": 128, "n_layers": 4, "n_heads": 4},
    "micro": {"context_length": 256, "d_model": 384, "n_layers": 6, "n_heads": 6},
    "gpt2": {"context_length": 1024, "d_model": 768, "n_layers": 12, "n_heads": 12},
    "gpt2-medium": {"context_length": 1024, "d_model": 1024, "n_layers": 24, "n_heads": 16},
    "gpt2-large": {"context_length": 1024, "d_model": 1280, "n_layers": 36, "n_heads": 20},
    "gpt2-xl": {"context_length": 1024, "d_model": 1600, "n_layers": 48, "n_heads": 25},
    "llama-tiny": {
        "vocab_size": 32000,
        "context_length": 256,
        "d_model": 256,
        "n_layers": 6,
        "n_heads": 8,
        "n_kv_heads": 4,
        "position": "rope-half",
        "norm": "rms",
        "mlp": "swiglu",
        "bias": False,
    },
}
