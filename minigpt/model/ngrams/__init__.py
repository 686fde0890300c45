"""The statistical language model: counts of runs of tokens, smoothed."""

from minigpt.model.ngrams.counts import NGramCounts
from minigpt.model.ngrams.ngram import NGram
from minigpt.model.ngrams.smoothing import Additive, KneserNey, Smoothing

__all__ = ["Additive", "KneserNey", "NGram", "NGramCounts", "Smoothing"]
