"""Weights that others trained, in: Hugging Face's folders, GGUF files, packages. Ours, out: folders of Hugging Face."""

from minigpt.pretrained.folder import pretrained_config, pretrained_model, save_pretrained
from minigpt.pretrained.sources import load_pretrained

__all__ = ["load_pretrained", "pretrained_config", "pretrained_model", "save_pretrained"]
