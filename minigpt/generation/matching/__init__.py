"""Text that must match: what a text may be, and the tokens that lead there."""
