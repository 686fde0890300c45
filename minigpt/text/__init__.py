"""Text to batches: tokenizers, corpora, shards and the order in which they are read.

Data flows from :func:`read_text` or :func:`load_corpus` through a :class:`Tokenizer` into a :class:`TokenDataset`,
whose batches are a pure function of the step; :func:`prepare` does the same for texts larger than memory.
"""

from minigpt.text.bpe import BPETokenizer
from minigpt.text.byte_pairs import GPT2_SPLIT
from minigpt.text.characters import CharTokenizer
from minigpt.text.corpora import CORPORA, load_corpus
from minigpt.text.dataset import Dataset, TokenDataset
from minigpt.text.documents import DocumentDataset, read_documents
from minigpt.text.files import read_text, split_text
from minigpt.text.preparation import PreparedCorpus, open_prepared, prepare
from minigpt.text.rows import Row, RowDataset
from minigpt.text.streams import dataset_documents, first_text, prepare_documents
from minigpt.text.tiktoken_bridge import tiktoken_tokenizer
from minigpt.text.tinyworld import TinyWorld
from minigpt.text.tokenizer import Tokenizer, load_tokenizer

__all__ = [
    "CORPORA",
    "GPT2_SPLIT",
    "BPETokenizer",
    "CharTokenizer",
    "Dataset",
    "DocumentDataset",
    "PreparedCorpus",
    "Row",
    "RowDataset",
    "TinyWorld",
    "TokenDataset",
    "Tokenizer",
    "dataset_documents",
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
