"""Small models of every kind, with no bias at 0 and no gain at 1, in float64."""

import torch

import minigpt as mg

KINDS = {
    "gpt2": {},
    "post-norm": {"norm_placement": "post"},
    "llama": {
        "position": "rope-half",
        "n_kv_heads": 2,
        "norm": "rms",
        "mlp": "swiglu",
        "bias": False,
        "tied_head": False,
        "qk_norm": True,
    },
    "window": {"position": "alibi", "window": 3, "mlp": "relu"},
    "convolution": {"position": "none", "convolution": 3, "norm": "rms"},
    "post-convolution": {"position": "sinusoidal", "convolution": 2, "norm_placement": "post"},
    "interleaved": {"position": "rope-interleaved", "n_kv_heads": 1, "mlp": "relu2"},
}
SHAPE = {"vocab_size": 17, "context_length": 12, "d_model": 24, "n_layers": 3, "n_heads": 4, "d_hidden": 40}


def build(kind="gpt2", dtype=torch.float64, **changes):
    """A model of a kind, with any field of its configuration changed."""
    generator = torch.Generator().manual_seed(7)
    model = mg.GPT(config_of(kind, **changes)).eval().to(dtype)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.3, generator=generator)
            if name.endswith("gain"):
                parameter.add_(1)
    return model


def config_of(kind, **changes):
    return mg.GPTConfig(**{**SHAPE, **KINDS[kind], **changes})
