"""How the numbers of a step are computed: in which format, by which program, and what is kept for the backward pass."""
