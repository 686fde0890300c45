"""From a trained model to new text: sampling rules, generation on ids, generation on text, conversations."""

from minigpt.generation.conversation import Conversation
from minigpt.generation.ids import generate_ids, stream_ids
from minigpt.generation.sampling import (
    next_token_probabilities,
    sample_next,
    temperature_probabilities,
    top_k_filter,
    top_p_filter,
)
from minigpt.generation.text import generate, stream

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
