"""Weights that others trained, in; ours, out: folders in the format of Hugging Face.

The tokenizer of such a folder is read by :func:`minigpt.load_tokenizer`.
"""

from minigpt.pretrained.folder import load_pretrained, pretrained_config, save_pretrained

__all__ = ["load_pretrained", "pretrained_config", "save_pretrained"]
