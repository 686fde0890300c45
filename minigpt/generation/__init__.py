"""From a trained model to new text: the sampler and its rules, generation on ids, generation on text, conversations."""

from minigpt.generation.borders import Borders
from minigpt.generation.chat import ChatConversation
from minigpt.generation.conversation import Conversation
from minigpt.generation.ids import generate_ids, stream_ids
from minigpt.generation.sampler import GREEDY, Sampler
from minigpt.generation.sampling import temperature_probabilities, top_k_filter, top_p_filter
from minigpt.generation.text import generate, stream

__all__ = [
    "GREEDY",
    "Borders",
    "ChatConversation",
    "Conversation",
    "Sampler",
    "generate",
    "generate_ids",
    "stream",
    "stream_ids",
    "temperature_probabilities",
    "top_k_filter",
    "top_p_filter",
]
