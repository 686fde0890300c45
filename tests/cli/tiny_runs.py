"""Tiny runs of each kind: what they read, and what a command prints."""

import contextlib
import io

from minigpt.cli import main

TEXTS = {
    "names": "emma\nolivia\nava\nisabella\nsophia\ncharlotte\nmia\namelia\n" * 40,
    "verse": "床前明月光，\n疑是地上霜。\n举头望明月，\n低头思故乡。\n" * 30,
    "blank": "\n\n   \n" + "   indented words here\n\n  and more of them\n" * 30,
    "dash": "-nobody and more\n-somebody else\n--flag here\n" * 30,
    "quoted": 'it\'s "quoted" for $HOME and `x`\n' * 40,
    "flat": "the cat sat on the mat, and the dog sat on the log. " * 120,
}
BPE = ("--tokenizer", "bpe:280")
KINDS = {
    **{name: ("--text", f"{name}.txt") for name in TEXTS},
    "names-bpe": ("--text", "names.txt", *BPE),
    "verse-bpe": ("--text", "verse.txt", *BPE),
    "flat-bpe": ("--text", "flat.txt", *BPE),
    "documents": ("--text", "names.txt", "--documents"),
    "documents-bpe": ("--text", "names.txt", "--documents", *BPE),
    "story": ("--task", "story", "--tokenizer", "bpe:600"),
    "qa": ("--task", "qa", "--tokenizer", "bpe:400"),
}


SMALL = ("--d-model", "16", "--n-heads", "2", "--n-layers", "1", "--d-hidden", "16", "--device", "cpu")


def no_plot(*arguments, **options):
    raise ImportError("no picture: it would take longest")


def printed_by(words):
    """What a command prints on stdout."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main(words)
    return printed.getvalue()


def after(printed):
    """The command that `minigpt train` prints last."""
    return printed.partition("next:")[2].strip()
