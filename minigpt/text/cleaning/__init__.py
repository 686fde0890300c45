"""What becomes of documents before they are tokenized: duplicates and poor texts are removed, overlap is measured.

Each stage looks at one document after another and says why it removes one. :func:`clean` runs the stages over
documents, :func:`clean_files` over files, and :func:`contamination` measures how much of a test set is in a training
set.
"""

from minigpt.text.cleaning.cleaner import Cleaner, clean, default_stages
from minigpt.text.cleaning.exact import ExactDuplicates
from minigpt.text.cleaning.files import clean_files, documents_of
from minigpt.text.cleaning.near import NearDuplicates
from minigpt.text.cleaning.overlap import ContaminationReport, Overlap, contamination
from minigpt.text.cleaning.quality import QUALITY_RULES, QualityFilter, QualityRule
from minigpt.text.cleaning.report import CleaningReport, Removal, Stage
from minigpt.text.cleaning.similarity import (
    candidate_probability,
    estimated_similarity,
    jaccard_similarity,
    minhash_signature,
)
from minigpt.text.cleaning.words import normalised, shingles

__all__ = [
    "QUALITY_RULES",
    "Cleaner",
    "CleaningReport",
    "ContaminationReport",
    "ExactDuplicates",
    "NearDuplicates",
    "Overlap",
    "QualityFilter",
    "QualityRule",
    "Removal",
    "Stage",
    "candidate_probability",
    "clean",
    "clean_files",
    "contamination",
    "default_stages",
    "documents_of",
    "estimated_similarity",
    "jaccard_similarity",
    "minhash_signature",
    "normalised",
    "shingles",
]
