"""Text to batches: tokenizers, corpora, shards and the order in which they are read.

Data flows from :func:`read_text` or :func:`load_corpus` through a :class:`Tokenizer` into a :class:`TokenDataset`,
whose batches are a pure function of the step; :func:`prepare` does the same for texts larger than memory.
"""

from minigpt.text.cleaning import (
    CleaningReport,
    ContaminationReport,
    ExactDuplicates,
    NearDuplicates,
    QualityFilter,
    clean,
    clean_files,
    contamination,
)
from minigpt.text.corpora import CORPORA, load_corpus
from minigpt.text.datasets.documents import DocumentDataset, read_documents
from minigpt.text.datasets.rows import Row, RowDataset
from minigpt.text.datasets.windows import Dataset, TokenDataset
from minigpt.text.reading import TextFiles, read_text, split_text
from minigpt.text.shards.preparation import PreparedCorpus, open_prepared, prepare
from minigpt.text.shards.streams import dataset_documents, first_text, prepare_documents
from minigpt.text.tinyworld import TinyWorld
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.characters import CharTokenizer
from minigpt.text.tokenizers.chat import encode_chat
from minigpt.text.tokenizers.chat_format import ChatFormat
from minigpt.text.tokenizers.loading import load_tokenizer
from minigpt.text.tokenizers.patterns import GPT2_SPLIT
from minigpt.text.tokenizers.tiktoken_bridge import tiktoken_tokenizer
from minigpt.text.tokenizers.tokenizer import Tokenizer

__all__ = [
    "CORPORA",
    "GPT2_SPLIT",
    "BPETokenizer",
    "CharTokenizer",
    "ChatFormat",
    "CleaningReport",
    "ContaminationReport",
    "Dataset",
    "DocumentDataset",
    "ExactDuplicates",
    "NearDuplicates",
    "PreparedCorpus",
    "QualityFilter",
    "Row",
    "RowDataset",
    "TextFiles",
    "TinyWorld",
    "TokenDataset",
    "Tokenizer",
    "clean",
    "clean_files",
    "contamination",
    "dataset_documents",
    "encode_chat",
    "first_text",
    "load_corpus",
    "load_tokenizer",
    "open_prepared",
    "prepare",
    "prepare_documents",
    "read_documents",
    "read_text",
    "split_text",
    "tiktoken_tokenizer",
]
