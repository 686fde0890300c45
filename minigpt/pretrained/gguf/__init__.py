"""GGUF, the format of llama.cpp: one file that holds a model, its configuration and its tokenizer."""

from minigpt.pretrained.gguf.loading import load_gguf
from minigpt.pretrained.gguf.model import gguf_config, gguf_model
from minigpt.pretrained.gguf.tokenizer import gguf_tokenizer

__all__ = ["gguf_config", "gguf_model", "gguf_tokenizer", "load_gguf"]
