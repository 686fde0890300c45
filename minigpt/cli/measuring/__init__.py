"""Commands that measure: speed beside peers, and what becomes of the kernels on a GPU."""
