"""How good a trained model is: by itself, beside the baselines, at its task, and against the floor."""

from minigpt.evaluate.answers import Score
from minigpt.evaluate.compare import Comparison, Trial, compare
from minigpt.evaluate.ladder import Ladder, ladder
from minigpt.evaluate.perplexity import Evaluation, evaluate
from minigpt.evaluate.stories import StoryReport, evaluate_stories
from minigpt.evaluate.tasks import TaskReport, evaluate_task

__all__ = [
    "Comparison",
    "Evaluation",
    "Ladder",
    "Score",
    "StoryReport",
    "TaskReport",
    "Trial",
    "compare",
    "evaluate",
    "evaluate_stories",
    "evaluate_task",
    "ladder",
]
