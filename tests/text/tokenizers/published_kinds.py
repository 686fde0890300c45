"""Small vocabularies of each published kind, by Hugging Face's trainer, and texts that tell the kinds apart."""

import json
from pathlib import Path

from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TEXT = (
    Path(__file__).read_text(encoding="utf-8")
    + "it's 1999, we'LL see: naïve façades – 我们在这里 12 345 6789\r\n\r\n  x\n" * 3
)
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _cut(pattern):
    cut = pre_tokenizers.Split(Regex(pattern), "isolated", invert=False)
    return pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


by_regex = pre_tokenizers.ByteLevel(add_prefix_space=False)
CUTS = {
    "gpt2": by_regex,
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), by_regex]),
    "llama3": _cut(LLAMA3),
    "qwen2": _cut(LLAMA3.replace("{1,3}", "")),
}


def byte_level(kind, size=700):
    """A vocabulary of byte-level BPE, its special tokens first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC() if kind == "qwen2" else None
    tokenizer.pre_tokenizer, tokenizer.decoder = CUTS[kind], decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=CONTROL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return json.loads(tokenizer.to_str())


def sentencepiece():
    """One of the kind of Llama 2: spaces as "▁", and bytes for characters without a token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # for the training alone
    specials = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator([TEXT.replace("–", "")], trainer)
    data = json.loads(tokenizer.to_str())
    vocabulary = data["model"]["vocab"]
    vocabulary |= {f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)}
    data["model"] |= {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}
    data["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    return json.loads(tokenizer.to_str())


PARTS = [
    "the",
    " cat",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "'s",
    "'LL",
    "1",
    "23",
    "½",
    "²",
    "٣",
    "é",
    "e\u0301",
    "我们",
    "!",
    "…",
]
likely = st.lists(st.sampled_from([*PARTS, *CONTROL]), max_size=12).map("".join)
# What Unicode left unassigned some years ago may be a letter to one library and nothing to another.
any_text = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=20)
texts = st.one_of(any_text, likely, st.tuples(any_text, likely).map("".join))
