"""What a configuration is: a frozen dataclass whose fields have a type and a range, may follow a rule, and go to JSON.

A field may be ``None`` "by the rule", such as ``learning_rate / 10``. The text that is shown is the text that is
evaluated, once, when the configuration is resolved; then everything reads plain values.

This room imports nothing of ours, so that each part of a configuration can live in the room that it describes.
"""

from minigpt.settings.checks import check_choice, check_types, counted, fit, meant_share, nearest, shown, whole_number
from minigpt.settings.fields import Mark, Range, Rule, kinds, marked, rule_of
from minigpt.settings.tables import overlaid, resolved, to_object, values

__all__ = [
    "Mark",
    "Range",
    "Rule",
    "check_choice",
    "check_types",
    "counted",
    "fit",
    "kinds",
    "marked",
    "meant_share",
    "nearest",
    "overlaid",
    "resolved",
    "rule_of",
    "shown",
    "to_object",
    "values",
    "whole_number",
]
