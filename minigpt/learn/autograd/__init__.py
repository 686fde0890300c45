"""Backpropagation from scratch, in NumPy: a tape, a tensor with its operations, and networks trained with them."""

from minigpt.learn.autograd.network import MLP, Layer, attention_as_written, descend, mean_loss, neuron
from minigpt.learn.autograd.tape import GraphNode
from minigpt.learn.autograd.tensor import Tensor

__all__ = ["MLP", "GraphNode", "Layer", "Tensor", "attention_as_written", "descend", "mean_loss", "neuron"]
