"""From a trained model to new text: the sampler and its rules, generation on ids, generation on text, conversations."""

from minigpt.generation.beams import SearchResult, beam_search, best_of, token_log_probabilities
from minigpt.generation.borders import Borders
from minigpt.generation.chat import ChatConversation
from minigpt.generation.conversation import Conversation
from minigpt.generation.decoder import Decoder
from minigpt.generation.ids import generate_ids, stream_ids
from minigpt.generation.inference import for_generation, int8_weights
from minigpt.generation.sampler import GREEDY, Sampler
from minigpt.generation.sampling import min_p_filter, temperature_probabilities, top_k_filter, top_p_filter
from minigpt.generation.speculation.drafts import DraftModel, PromptLookup
from minigpt.generation.text import generate, stream

__all__ = [
    "GREEDY",
    "Borders",
    "ChatConversation",
    "Conversation",
    "Decoder",
    "DraftModel",
    "PromptLookup",
    "Sampler",
    "SearchResult",
    "beam_search",
    "best_of",
    "for_generation",
    "generate",
    "generate_ids",
    "int8_weights",
    "min_p_filter",
    "stream",
    "stream_ids",
    "temperature_probabilities",
    "token_log_probabilities",
    "top_k_filter",
    "top_p_filter",
]
