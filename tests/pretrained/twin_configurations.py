"""Tiny models of the Llama family in transformers, every weight random, one for each thing that a field can say."""

import torch

SMALL = {
    "vocab_size": 67,
    "hidden_size": 24,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 3e-3,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
YARN = {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "original_max_position_embeddings": 16}
TYPES = ["full_attention", "sliding_attention", "sliding_attention"]
WINDOWED = {"use_sliding_window": True, "sliding_window": 5}


def rope(**parameters):
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, **parameters}}


#: The family and the changed fields of each model, by a name.
TWINS = {
    "llama": ("llama", {}),
    "llama, one key head": ("llama", {"num_key_value_heads": 1}),
    "llama, a key head for each": ("llama", {"num_key_value_heads": 6}),
    "llama, tied": ("llama", {"tie_word_embeddings": True}),
    "llama, biases of attention": ("llama", {"attention_bias": True}),
    "llama, biases of the MLP": ("llama", {"mlp_bias": True}),
    "llama, all biases, tied": ("llama", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
    "llama, wide heads": ("llama", {"head_dim": 10}),
    "llama, narrow heads and biases": ("llama", {"head_dim": 2, "attention_bias": True}),
    "llama, theta": ("llama", rope(rope_theta=70.0)),
    "llama, linear": ("llama", rope(rope_type="linear", factor=3.0)),
    "llama, llama3": ("llama", rope(**LLAMA3)),
    "llama, llama3 of wide heads": ("llama", {**rope(**LLAMA3), "head_dim": 12}),
    "llama, yarn": ("llama", rope(**YARN)),
    "llama, yarn, attention factor": ("llama", rope(**YARN, attention_factor=1.3)),
    "llama, yarn, betas": ("llama", rope(**YARN, beta_fast=6.0, beta_slow=0.5)),
    "llama, small eps": ("llama", {"rms_norm_eps": 1e-5}),
    "llama, one layer": ("llama", {"num_hidden_layers": 1}),
    "qwen2": ("qwen2", {}),
    "qwen2, tied": ("qwen2", {"tie_word_embeddings": True}),
    "qwen2, theta": ("qwen2", rope(rope_theta=1e6)),
    "qwen2, window above a layer": ("qwen2", {**WINDOWED, "max_window_layers": 1}),
    "qwen2, window everywhere": ("qwen2", {**WINDOWED, "max_window_layers": 0}),
    "qwen2, layer types": ("qwen2", {**WINDOWED, "layer_types": TYPES}),
    "qwen2, window nowhere": ("qwen2", {**WINDOWED, "max_window_layers": 3}),
    "qwen2, yarn": ("qwen2", rope(**YARN)),
    "qwen3": ("qwen3", {"head_dim": 8}),
    "qwen3, wide heads": ("qwen3", {"head_dim": 14}),
    "qwen3, biases": ("qwen3", {"head_dim": 8, "attention_bias": True}),
    "qwen3, tied": ("qwen3", {"head_dim": 4, "tie_word_embeddings": True}),
    "qwen3, window": ("qwen3", {"head_dim": 8, **WINDOWED, "max_window_layers": 2}),
    "qwen3, layer types": ("qwen3", {"head_dim": 8, **WINDOWED, "layer_types": TYPES[::-1]}),
    "qwen3, yarn": ("qwen3", {"head_dim": 16, **rope(**YARN)}),
    "mistral, window": ("mistral", {"sliding_window": 7}),
    "mistral, window of one": ("mistral", {"sliding_window": 1}),
    "mistral, no window": ("mistral", {"sliding_window": None}),
    "mistral, long window": ("mistral", {"sliding_window": 60}),
    "mistral, heads": ("mistral", {"sliding_window": 6, "head_dim": 6, "tie_word_embeddings": True}),
    "mistral, linear": ("mistral", {"sliding_window": 9, **rope(rope_type="linear", factor=2.0)}),
    "mixtral": ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "mixtral, one expert": ("mixtral", {"num_local_experts": 1, "num_experts_per_tok": 1}),
    "mixtral, one of many": ("mixtral", {"num_local_experts": 7, "num_experts_per_tok": 1}),
    "mixtral, all experts": ("mixtral", {"num_local_experts": 3, "num_experts_per_tok": 3}),
    "mixtral, window": ("mixtral", {"num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": 6}),
    "mixtral, heads, tied": ("mixtral", {"num_local_experts": 4, "head_dim": 6, "tie_word_embeddings": True}),
}


def make_twin(name, seed=0):
    """The model of transformers of that name, with noise on every weight, gains and biases included."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    family, changes = TWINS[name]
    kind = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3", "mistral": "Mistral", "mixtral": "Mixtral"}[family]
    config = getattr(transformers, f"{kind}Config")(**{**SMALL, **changes})
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            scale = 0.1 if "embed" in key or "lm_head" in key else 0.25
            parameter.normal_(0, scale, generator=generator)
            if key.endswith("norm.weight"):
                parameter.add_(1)
    return model


def some_ids(n_rows=2, n_tokens=40):
    return torch.randint(0, SMALL["vocab_size"], (n_rows, n_tokens), generator=torch.Generator().manual_seed(5))
