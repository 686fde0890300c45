"""Chats with a model: what it is given, where an answer ends, and what is kept."""

import pytest
import torch

import minigpt as mg
from minigpt.generation import ChatConversation, Sampler
from minigpt.text import encode_chat
from minigpt.text.tokenizers.chat_format import CHATML
from minigpt.text.tokenizers.imported import ImportedTokenizer

START, END = 256, 257


def tokenizer(chat=CHATML):
    ranks = {bytes([byte]): byte for byte in range(256)}
    return ImportedTokenizer(ranks, {"<|im_start|>": START, "<|im_end|>": END}, chat=chat)


class Scripted(torch.nn.Module):
    """Answers with given tokens, whatever it is asked, and keeps what it was given."""

    def __init__(self, answer, context_length=400):
        super().__init__()
        self.config = mg.GPTConfig(vocab_size=258, context_length=context_length, d_model=2, n_layers=1, n_heads=1)
        self.register_buffer("place", torch.zeros(1))
        self.answer, self.given, self.n_said = answer, [], 0

    def forward(self, ids):
        if ids[0, -1] == ord("\n"):
            self.given.append(ids[0].tolist())
            self.n_said = 0
        logits = torch.zeros(*ids.shape, 258)
        logits[:, -1, self.answer[self.n_said]] = 9.0
        self.n_said += 1
        return logits


YES = [*b"Yes.", END, *b"more"]


def test_an_answer_ends_at_the_end_token_and_the_whole_conversation_is_given_each_time():
    model, ours = Scripted(YES), tokenizer()
    chat = ChatConversation(model, ours, system="Be brief.")
    assert "".join(chat.reply("One?")) == "Yes." and "".join(chat.reply("Two?")) == "Yes."
    first = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n"
    second = f"{first}Yes.<|im_end|>\n<|im_start|>user\nTwo?<|im_end|>\n<|im_start|>assistant\n"
    assert [ours.decode(ids) for ids in model.given] == [first, second]
    assert [ids.count(START) for ids in model.given] == [3, 5]


def test_a_new_start_forgets_all_but_the_system_message():
    model = Scripted(YES)
    chat = ChatConversation(model, tokenizer(), system="Be brief.")
    list(chat.reply("One?"))
    chat.start_anew()
    list(chat.reply("One?"))
    assert model.given[0] == model.given[1]


def test_what_was_not_read_to_its_end_is_forgotten():
    chat = ChatConversation(Scripted(YES), tokenizer())
    next(chat.reply("One?"))
    assert chat.messages == []


def test_an_answer_is_as_long_as_was_asked_for_and_as_there_is_room_for():
    assert "".join(ChatConversation(Scripted(YES), tokenizer(), max_new_tokens=2).reply("One?")) == "Ye"
    written = len(mg.text.encode_chat(tokenizer(), [{"role": "user", "content": "One?"}]))
    assert "".join(ChatConversation(Scripted(YES, written + 3), tokenizer()).reply("One?")) == "Yes"
    with pytest.raises(ValueError, match=rf"longer than the {written} tokens that this model sees at once"):
        ChatConversation(Scripted(YES, written), tokenizer()).reply("One?")


def test_the_sampler_draws_with_the_seed():
    class Flat(Scripted):
        def forward(self, ids):
            return torch.zeros(*ids.shape, 258)

    def drawn(seed):
        chat = ChatConversation(
            Flat([]), tokenizer(), sampler=Sampler(top_k=50, temperature=2.0), seed=seed, max_new_tokens=9
        )
        return "".join(chat.reply("One?"))

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_tokenizer_that_can_not_chat_is_refused():
    with pytest.raises(ValueError, match="the imported tokenizer has no chat template"):
        ChatConversation(Scripted(YES), tokenizer(chat=None))
    endless = mg.text.ChatFormat(template="x", end=("</s>",))
    with pytest.raises(ValueError, match="no token that ends an answer"):
        ChatConversation(Scripted(YES), tokenizer(chat=endless))


def test_what_was_read_is_not_computed_again(monkeypatch):
    config = mg.GPTConfig(vocab_size=258, context_length=600, d_model=16, n_layers=2, n_heads=2)
    model = mg.GPT(config, generator=torch.Generator().manual_seed(0)).eval()
    chat, computed, known = ChatConversation(model, tokenizer(), max_new_tokens=9), [], 0
    plain = mg.GPT.features
    monkeypatch.setattr(
        mg.GPT, "features", lambda self, ids, cache=None: computed.append(ids.shape[1]) or plain(self, ids, cache)
    )
    for line in ("A first line of several words", "on", "no room for this " * 8, "on"):
        before = len(computed)
        length = len(encode_chat(chat.tokenizer, [*chat.messages, {"role": "user", "content": line}]))
        anew = ChatConversation(model, tokenizer(), max_new_tokens=9)
        anew.messages = list(chat.messages)
        answer = "".join(chat.reply(line))
        new = computed[before:]
        assert "".join(anew.reply(line)) == answer
        if line == "on":
            assert sum(new) <= length - known + 9  # all but the prompt that was read before
        known = length


def test_an_answer_matches_what_it_must():
    ours = tokenizer()
    model = Scripted([*b"Yes.", END])
    assert "".join(ChatConversation(model, ours, sampler=Sampler(temperature=0, match="No|Yes")).reply("One?")) == "Yes"
    chat = ChatConversation(Scripted([*b"Yes.", END]), ours, sampler=Sampler(temperature=0, match="[a-z]{3}"))
    assert len("".join(chat.reply("One?"))) == 3 and chat.messages[-1]["role"] == "assistant"
    with pytest.raises(ValueError, match="'Yes' is only the beginning of a match"):
        list(ChatConversation(model, ours, sampler=Sampler(match="Yess+"), max_new_tokens=3).reply("One?"))
