"""Weights that others trained, in; ours, out: folders in the format of Hugging Face."""

from minigpt.pretrained.folder import load_pretrained, pretrained_config, pretrained_model
from minigpt.pretrained.hub import push_to_hub
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
