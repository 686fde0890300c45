"""Ctrl-C, where a model is used and where one is trained."""

import os
import signal
from types import SimpleNamespace

import pytest
from tiny_runs import SMALL, TEXTS, no_plot

import minigpt as mg
from minigpt.cli import main
from minigpt.training import History


def test_ctrl_c_ends_the_answer_and_not_the_chat(tiny_run, monkeypatch, capsys):
    out, asked = tiny_run("qa").out, []

    class Interrupted:
        def __init__(self, *arguments):
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
