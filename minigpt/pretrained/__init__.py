"""Weights that others trained, in: Hugging Face's folders, GGUF files, packages. Ours, out: folders, and GGUF files."""

from minigpt.pretrained.folder import pretrained_config, pretrained_model
from minigpt.pretrained.hub import push_to_hub
from minigpt.pretrained.sources import load_pretrained
from minigpt.pretrained.writing import FORMATS, format_of, save_pretrained

__all__ = [
    "FORMATS",
    "format_of",
    "load_pretrained",
    "pretrained_config",
    "pretrained_model",
    "push_to_hub",
    "save_pretrained",
]
