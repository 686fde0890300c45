"""The mistakes with heads, positions, the block, training, generation and scale, one module for each exercise."""
