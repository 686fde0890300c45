"""Look inside a model: its activations by name, what happens when they are replaced, and what they say.

Nothing here is a second model. Hooks read and replace what a :class:`minigpt.GPT` computes, own or pretrained, and only
inside a ``with`` block.
"""

from minigpt.microscope.divergence import Divergence, first_divergence
from minigpt.microscope.names import activation_names
from minigpt.microscope.record import Activations, look
from minigpt.microscope.taps import tapped

__all__ = ["Activations", "Divergence", "activation_names", "first_divergence", "look", "tapped"]
