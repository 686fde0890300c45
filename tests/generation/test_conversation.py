import pytest
import torch

import minigpt as mg
from minigpt.generation import Conversation

LINES = "User: hi\nBot: hello\nUser: bye\nBot: ciao\n"
TOKENIZER = mg.CharTokenizer.train(LINES + "yes no")


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


def test_what_was_said_is_not_read_again():
    model = mg.GPT(mg.GPTConfig(vocab_size=TOKENIZER.vocab_size, context_length=64, d_model=8, n_heads=1, n_layers=1))
    answers = iter(TOKENIZER.encode("yes\nno\n"))
    one_hot = torch.eye(TOKENIZER.vocab_size)
    model.head.register_forward_hook(lambda *_: one_hot[next(answers)][None, None])
    lengths = []
    model.token_embedding.register_forward_hook(lambda module, inputs, output: lengths.append(inputs[0].shape[1]))
    conversation = Conversation(model, TOKENIZER, lambda said, line: f"{said}User: {line}\nBot:")
    assert "".join(conversation.reply("hi")) == "yes"
    assert lengths == [len("User: hi\nBot:"), 1, 1, 1]
    lengths.clear()
    assert "".join(conversation.reply("bye")) == "no"
    assert lengths == [len("\nUser: bye\nBot:"), 1, 1]
