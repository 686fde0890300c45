"""Weights that others trained, in; ours, out: folders in the format of Hugging Face."""

from minigpt.pretrained.folder import load_pretrained, pretrained_config, pretrained_model, save_pretrained

__all__ = ["load_pretrained", "pretrained_config", "pretrained_model", "save_pretrained"]
