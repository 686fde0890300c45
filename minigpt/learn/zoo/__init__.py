"""The bug zoo: ten classic training bugs, each beside the healthy run, with what gives it away and what catches it."""

from minigpt.learn.zoo.bug import Bug, Specimen
from minigpt.learn.zoo.catalogue import BUGS
from minigpt.learn.zoo.experiment import BugRuns, run

__all__ = ["BUGS", "Bug", "BugRuns", "Specimen", "run"]
