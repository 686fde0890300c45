"""A small Llama of transformers, written as a GGUF file by the package ``gguf``, as llama.cpp converts one."""

import gguf
import numpy as np
import torch

CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SHAPE = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "vocab_size": 263}
NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def random_llama(**changes):
    """2 query heads and 1 key/value head, so that neither number is that of layers; norms and weights are random."""
    from transformers import LlamaConfig, LlamaForCausalLM

    given = {**SHAPE, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128}
    given |= {"rms_norm_eps": 1e-4, "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}
    config = LlamaConfig(**{**given, "tie_word_embeddings": True, "attn_implementation": "eager", **changes})
    model = LlamaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.12, generator=generator).add_("norm" in name)
    return model


def permuted(weight, n_heads):
    """The rows of a query or key matrix in llama.cpp's order, as its conversion of Hugging Face's weights has it."""
    halves = weight.reshape(n_heads, 2, weight.shape[0] // n_heads // 2, weight.shape[1])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def tensors_of(model):
    """The arrays of a file by their names."""
    arrays = {"token_embd.weight": model.model.embed_tokens.weight, "output_norm.weight": model.model.norm.weight}
    if not model.config.tie_word_embeddings:
        arrays["output.weight"] = model.lm_head.weight
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    for i, layer in enumerate(model.model.layers):
        for theirs, name in NAMES.items():
            weight = layer.get_submodule(theirs).weight.detach()
            arrays[f"blk.{i}.{name}.weight"] = permuted(weight, heads[name]) if name in heads else weight
    return {name: np.ascontiguousarray(array.detach().numpy()) for name, array in arrays.items()}


def fields_of(model):
    """The fields of a file by their names; numbers are 32 bits wide."""
    config = model.config
    return {
        "llama.block_count": config.num_hidden_layers,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": config.num_attention_heads,
        "llama.attention.head_count_kv": config.num_key_value_heads,
        "llama.attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "llama.rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "llama.vocab_size": config.vocab_size,
        "llama.rope.dimension_count": config.hidden_size // config.num_attention_heads,
        **tokenizer_fields(),
    }


def tokenizer_fields():
    """A vocabulary of the bytes and a few merges, its control tokens first."""
    from tokenizers import pre_tokenizers

    merges = ["h e", "Ġ t", "Ġt he", "1 2"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*CONTROL, *letters, *(merge.replace(" ", "") for merge in merges)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] * len(CONTROL) + [1] * (len(tokens) - len(CONTROL)),
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": CHATML,
    }


def write(path, model, *, kind="F32", fields=(), tensors=(), architecture="llama"):
    """Write a file; ``fields`` and ``tensors`` replace some, and ``None`` leaves one out."""
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in {**fields_of(model), **dict(fields)}.items():
        if isinstance(value, list):
            writer.add_array(name, value)
        elif value is not None:
            add = {str: writer.add_string, float: writer.add_float32, bool: writer.add_bool, int: writer.add_uint32}
            add[type(value)](name, value)
    for name, array in {**tensors_of(model), **dict(tensors)}.items():
        if array is not None:
            number = gguf.GGMLQuantizationType[kind if array.ndim > 1 else "F32"]
            writer.add_tensor(name, gguf.quants.quantize(array, number), raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def as_quantized(model, kind):
    """The same model with the weights that are left after quantizing; each row is a row of blocks."""
    from copy import deepcopy

    number = gguf.GGMLQuantizationType[kind]
    copy = deepcopy(model)
    with torch.no_grad():
        for parameter in copy.parameters():
            if parameter.dim() > 1:
                quantized = gguf.quants.quantize(parameter.numpy(), number)
                parameter.copy_(torch.tensor(gguf.quants.dequantize(quantized, number)))
    return copy
