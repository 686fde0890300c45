import pytest
import torch

import minigpt as mg
from minigpt.generation import Conversation

LINES = "User: hi\nBot: hello\nUser: bye\nBot: ciao\n"
TOKENIZER = mg.CharTokenizer.train(LINES)


class Parrot(torch.nn.Module):
    """Goes on with LINES wherever it is; knows nothing else."""

    def __init__(self, context_length=64):
        super().__init__()
        self.config = mg.GPTConfig(vocab_size=TOKENIZER.vocab_size, context_length=context_length, d_model=8, n_heads=1)
        self.unused = torch.nn.Parameter(torch.zeros(()))

    def forward(self, ids):
        text = TOKENIZER.decode(ids[0].tolist())
        assert LINES.startswith(text)
        following = TOKENIZER.encode(LINES[len(text)])[0]
        return torch.nn.functional.one_hot(torch.full(ids.shape, following), TOKENIZER.vocab_size).float() * 9


def make(**options):
    return Conversation(Parrot(**options), TOKENIZER, lambda said, line: f"{said}User: {line}\nBot:")


def test_each_answer_ends_at_its_line_end_and_is_remembered():
    conversation = make()
    assert "".join(conversation.reply("hi")) == " hello"
    assert conversation.said == "User: hi\nBot: hello\n"
    assert "".join(conversation.reply("bye")) == " ciao"
    assert conversation.said == LINES


def test_a_new_start_forgets():
    conversation = make()
    list(conversation.reply("hi"))
    conversation.start_anew()
    assert "".join(conversation.reply("hi")) == " hello"


def test_a_conversation_that_no_longer_fits_is_one_clear_error_and_loses_nothing():
    conversation = make(context_length=21)
    list(conversation.reply("hi"))
    with pytest.raises(ValueError, match="longer than the 21 tokens that this model sees at once; start a new one"):
        conversation.reply("bye")
    assert conversation.said == "User: hi\nBot: hello\n"
