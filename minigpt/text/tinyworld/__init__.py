"""The tiny world: a language of micro-stories whose entropy is known, in English and Chinese.

People, places and coloured things; somebody goes, gives, takes, swaps; in the end it is said where a thing is and who
has it. Each story is a derivation, a sequence of choices with known probabilities
(:mod:`~minigpt.text.tinyworld.derivation`), and the map between derivations and texts is one to one
(:mod:`~minigpt.text.tinyworld.rendering`, :mod:`~minigpt.text.tinyworld.parsing`). So the probability of a text is
exact, and no model can have a lower loss than the entropy (:mod:`~minigpt.text.tinyworld.entropy`).
"""

from minigpt.text.tinyworld.derivation import Choice, Derivation, Item, Scene, choices, log_prob
from minigpt.text.tinyworld.entropy import Floor
from minigpt.text.tinyworld.examples import Part
from minigpt.text.tinyworld.parsing import parse
from minigpt.text.tinyworld.phrases import task_text, task_tokenizer
from minigpt.text.tinyworld.rendering import LANGUAGES, render
from minigpt.text.tinyworld.rows import encode_parts, task_rows
from minigpt.text.tinyworld.splits import combinations, held_out_nats
from minigpt.text.tinyworld.tasks import TASKS, Task, task_of
from minigpt.text.tinyworld.world import TinyWorld

__all__ = [
    "LANGUAGES",
    "TASKS",
    "Choice",
    "Derivation",
    "Floor",
    "Item",
    "Part",
    "Scene",
    "Task",
    "TinyWorld",
    "choices",
    "combinations",
    "encode_parts",
    "held_out_nats",
    "log_prob",
    "parse",
    "render",
    "task_of",
    "task_rows",
    "task_text",
    "task_tokenizer",
]
