"""Mistakes in what a model computes: attention, positions, norms, blocks, and the steps of generation."""
