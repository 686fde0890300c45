"""How good a trained model is: by itself, beside the baselines, at its task, and against the floor."""

from minigpt.evaluation import fairness
from minigpt.evaluation.answers import Score
from minigpt.evaluation.baselines import Ladder, ladder
from minigpt.evaluation.calibration import Calibration
from minigpt.evaluation.confidence import evaluate_calibration
from minigpt.evaluation.continuations import continuation_log_probs
from minigpt.evaluation.copies import CopyError, copy_error
from minigpt.evaluation.perplexity import Evaluation, evaluate
from minigpt.evaluation.stories import StoryReport, evaluate_stories
from minigpt.evaluation.tasks import TaskReport, evaluate_task

__all__ = [
    "Calibration",
    "CopyError",
    "Evaluation",
    "Ladder",
    "Score",
    "StoryReport",
    "TaskReport",
    "continuation_log_probs",
    "copy_error",
    "evaluate",
    "evaluate_calibration",
    "evaluate_stories",
    "evaluate_task",
    "fairness",
    "ladder",
]
