"""Mistakes in what a model learns with: counts, tokens, losses, gradients, optimizers and what is measured."""
