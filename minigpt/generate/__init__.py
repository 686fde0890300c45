"""From a trained model to new text: sampling rules, generation on ids, generation on text, conversations."""

from minigpt.generate.conversation import Conversation
from minigpt.generate.ids import generate_ids, stream_ids
from minigpt.generate.sampling import (
    next_token_probabilities,
    sample_next,
    temperature_probabilities,
    top_k_filter,
    top_p_filter,
)
from minigpt.generate.text import generate, stream

__all__ = [
    "Conversation",
    "generate",
    "generate_ids",
    "next_token_probabilities",
    "sample_next",
    "stream",
    "stream_ids",
    "temperature_probabilities",
    "top_k_filter",
    "top_p_filter",
]
