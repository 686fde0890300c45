"""Weights that others trained, in; ours, out: folders in the format of Hugging Face."""

from minigpt.pretrained.folder import load_pretrained, pretrained_config, pretrained_model
from minigpt.pretrained.writing import FORMATS, format_of, save_pretrained

__all__ = ["FORMATS", "format_of", "load_pretrained", "pretrained_config", "pretrained_model", "save_pretrained"]
