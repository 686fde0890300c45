"""Speculative sampling: a draft proposes tokens, the model accepts or replaces them in one pass."""
