import json
import re
import shlex
import subprocess
import sys
from importlib import import_module

import pytest

import minigpt as mg
from minigpt.checks import CHECKS
from minigpt.cli import COMMANDS, main
from minigpt.cli.compare import parse_switch
from minigpt.runs import Comparison, Trial

TEXT = "the cat sat on the mat, and the dog sat on the log. " * 40


@pytest.fixture
def trained(tmp_path, capsys):
    (tmp_path / "text.txt").write_text(TEXT)
    out = str(tmp_path / "run")
    words = ["train", "--text", str(tmp_path / "text.txt"), "--steps", "4", "--batch-size", "2", "--out", out]
    main([*words, "--context-length", "8", "--eval-every", "2", "--checkpoint-every", "2", "--device", "cpu"])
    (tmp_path / "printed").write_text(capsys.readouterr().out)
    return out


def test_train_says_what_it_does_and_where_everything_is(trained, tmp_path):
    printed = (tmp_path / "printed").read_text()
    assert "char tokenizer" in printed and "parameters" in printed and "loss on the whole validation split" in printed
    command = shlex.split(printed.partition("next:")[2])
    assert command[:3] == ["minigpt", "sample", trained]
    main([*command[1:], "--max-new-tokens", "3"])
    kept = {"run.json", "data.json", "log.jsonl", "loss.png", "checkpoints"}
    assert {p.name for p in (tmp_path / "run").iterdir()} == kept
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 4


def test_a_sample_is_another_each_time_and_is_written_again_by_the_seed_that_is_shown(trained, capsys):
    words, texts = ["sample", trained, "--prompt", "the ", "--max-new-tokens", "40"], {}
    for _ in range(3):
        main(words)
        printed = capsys.readouterr()
        seed = re.fullmatch(r"seed (\d+): --seed \1 writes this text again\n", printed.err)[1]
        texts[seed] = printed.out
    assert len(set(texts.values())) == 3
    for seed, text in texts.items():
        main([*words, "--seed", seed])
        assert capsys.readouterr() == (text, "") and text.startswith("the ") and len(text) == 45


@pytest.mark.parametrize("greedy", ["--temperature 0", "--top-k 1", "--top-p 1e-9"])
def test_sample_has_an_option_for_each_setting_of_the_sampler(trained, capsys, greedy):
    texts = {}
    for options in ("--seed 0", greedy, "--temperature=0 --top-k=None", f"{greedy} --seed 3", f"{greedy} --stop t zz"):
        main(["sample", trained, "--prompt", "the ", "--max-new-tokens", "40", *options.split()])
        texts[options] = capsys.readouterr().out.removesuffix("\n")
    plain, chosen, at_zero, other_seed, stopped = texts.values()
    assert chosen == at_zero == other_seed != plain
    assert stopped == "the " + chosen.removeprefix("the ").partition("t")[0]


def test_eval_prints_the_three_units(trained, capsys, tmp_path):
    main(["eval", trained])
    own = capsys.readouterr().out
    assert "nats per token" in own and "perplexity" in own and "bits per byte" in own
    main(["eval", trained, "--text", str(tmp_path / "text.txt")])
    assert f"({len(TEXT) - 1:,} tokens" in capsys.readouterr().out


def test_resume_takes_the_saved_settings_and_refuses_others_by_name(trained, capsys):
    main(["train", "--resume", "--out", trained])
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(["train", "--resume", f"--out={trained}", "--steps", "9", "--seed", "3", "--spike-threshold", "6"])
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert "steps was 4, now 9; spike_threshold was not set, now 6.0; seed was 0, now 3" in printed.err
    assert printed.out == ""  # no plan of a run that does not take place


def test_training_into_the_folder_of_another_run_is_refused_and_changes_nothing(trained, capsys, tmp_path):
    before = (tmp_path / "run" / "run.json").read_text()
    with pytest.raises(SystemExit):
        main(["train", "--text", str(tmp_path / "text.txt"), "--context-length", "8", "--out", trained, "--steps", "2"])
    assert "already holds a run, up to step-00000004" in capsys.readouterr().err
    assert (tmp_path / "run" / "run.json").read_text() == before


@pytest.fixture
def little(monkeypatch):
    """Less for tokenizers and baselines to read than in earnest."""
    monkeypatch.setattr(import_module("minigpt.text.tinyworld.phrases"), "READ", 100)
    monkeypatch.setattr(import_module("minigpt.evaluation.tasks"), "LEARNT", 60)
    monkeypatch.setattr(import_module("minigpt.runs.splits"), "VALIDATED", 4)
    monkeypatch.setattr(import_module("minigpt.evaluation.stories"), "SAMPLED", 3)
    monkeypatch.setattr(import_module("minigpt.cli.ladder"), "STORIES", 20)
    monkeypatch.setattr(import_module("minigpt.cli.train"), "TOLD", 4)


@pytest.mark.usefixtures("little")
def test_the_demo_shows_a_sample_before_and_after_and_can_be_run_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        main(["demo", "--steps", "2"])
        printed = capsys.readouterr().out
        assert printed.index("Before training it writes:") < printed.index("After training it writes:")
        assert "step 2 of 2: loss" in printed and "minigpt sample runs/demo --prompt" in printed
        assert "floor: the entropy" in printed and "drawn at temperature 0.5" in printed
        before, after = printed.split("After training it writes:")
        assert "hold together" not in before and after.count("  = does not hold together: character 0") == 3
    assert (tmp_path / "runs" / "demo" / "loss.png").is_file()


def test_the_demo_says_which_sentence_breaks_a_story():
    verdict = import_module("minigpt.cli.train")._verdict
    story = mg.TinyWorld(split="test").story(0)
    assert verdict(story) == "holds together: every sentence fits those before it"
    last = story.rindex(". ") + 2
    nobody = story.replace("was with Rosa in the forest", "was lying in the forest")
    assert verdict(nobody).startswith(
        f"does not hold together: character {last} of the story: got 'At the end of the day"
    )
    assert "the white book in the forest (Rosa)" in verdict(nobody)


def train_task(task, folder):
    main(["train", "--task", task, "--steps", "2", "--batch-size", "2", "--tokenizer", "bpe:500", "--out", str(folder)])


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize(("task", "kind"), [("qa", "where"), ("dialogue", "follow-up"), ("translate", "en to zh")])
def test_a_task_is_trained_measured_beside_baselines_and_resumed_by_name(task, kind, tmp_path, capsys):
    train_task(task, tmp_path)
    assert f"next:       minigpt eval {tmp_path}, or minigpt chat {tmp_path}" in capsys.readouterr().out
    main(["eval", str(tmp_path), "--examples", "8"])
    printed = capsys.readouterr().out
    assert kind in printed and "5-gram" in printed and ("bag of words" in printed) == (task != "translate")
    with pytest.raises(SystemExit):
        main(["train", "--resume", "--language", "zh", "--out", str(tmp_path)])
    assert "language was 'en', now 'zh'" in capsys.readouterr().err


@pytest.mark.usefixtures("little")
def test_a_storyteller_is_held_against_the_floor_and_on_the_ladder(tmp_path, capsys):
    train_task("story", tmp_path)
    main(["eval", str(tmp_path), "--examples", "4"])
    assert re.search(r"floor: the entropy +43\.2", capsys.readouterr().out)
    main(["ladder", "--run", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "GPT" in printed and "floor" in printed
    assert (tmp_path / "ladder.png").is_file()


@pytest.mark.usefixtures("little")
def test_chat_answers_line_by_line_starts_anew_and_survives_a_mistake(tmp_path, capsys, monkeypatch):
    train_task("qa", tmp_path)
    lines = iter(
        ["Who has it?", "Anna was in the park with a red kite. Tom was on the hill. Who has the red kite?", ""]
    )

    def typed(prompt):
        if (line := next(lines, None)) is None:
            raise EOFError
        return line

    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr("minigpt.cli.use._is_typed", lambda: True)
    capsys.readouterr()
    main(["chat", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "This model was trained to answer questions about a story" in printed
    assert printed.count("tell a story and ask about it in one line") == 1


def test_chat_with_a_model_without_a_task_says_what_to_do(trained, capsys):
    with pytest.raises(SystemExit):
        main(["chat", trained])
    assert "has no task to talk about: use `minigpt sample" in capsys.readouterr().err


def test_ladder_prints_the_baselines_of_a_text_and_draws_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    main(["ladder", "--text", "text.txt", "--tokenizer", "bpe:260"])
    printed = capsys.readouterr().out
    assert "5-gram" in printed and "xz" in printed and "GPT" not in printed and "picture: ladder.png" in printed
    assert (tmp_path / "ladder.png").is_file()


def test_ladder_offers_what_has_a_meaning_there_and_refuses_a_text_beside_a_run(trained, capsys):
    with pytest.raises(SystemExit):
        main(["ladder", "--help"])
    printed = capsys.readouterr().out
    offered = set(re.findall(r"--([a-z][a-z-]+)", printed)) - {"help", "no-json", "no-special-tokens"}
    assert offered == {
        *("json", "text", "glob", "special-tokens", "corpus", "data"),
        *("tokenizer", "validation-fraction", "run", "out"),
    }
    for words in (["--text", "nothere.txt"], ["--validation-fraction", "0.2"], ["--data", "nowhere"], ["--glob", "*"]):
        with pytest.raises(SystemExit):
            main(["ladder", *words, "--run", trained])
        said = capsys.readouterr().err
        assert said.startswith(f"minigpt: --run compares on the run's own text, so {words[0]} can't be given with it;")


@pytest.mark.parametrize("command", [["eval"], ["ladder", "--run"]])
def test_a_text_that_changed_since_is_named_before_anything_is_measured(trained, tmp_path, capsys, command):
    (tmp_path / "text.txt").write_text(TEXT.replace("dog", "god"))
    with pytest.raises(SystemExit):
        main([*command, trained])
    assert f"{tmp_path / 'text.txt'} has changed since the run in {trained} was started" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["sample"], ["eval"], ["info"], ["ladder", "--run"], ["chat"], ["train", "--resume", "--out"]]
)
@pytest.mark.parametrize("form", [1, 99, None])
def test_a_run_of_another_format_gets_the_same_message_everywhere(trained, tmp_path, capsys, words, form):
    run_file = tmp_path / "run" / "run.json"
    table = json.loads(run_file.read_text()) | {"format": form}
    if form is None:
        del table["format"]
    run_file.write_text(json.dumps(table))
    with pytest.raises(SystemExit):
        main([*words, trained])
    found = {
        1: "it has format 1, an older one than the 2 that this minigpt reads",
        99: "it has format 99, a newer one than the 2 that this minigpt reads",
        None: "it has no format, so it is older than the 2 that this minigpt reads",
    }[form]
    told = f"{run_file} can't be used: {found}; use the version of minigpt that wrote it, or start a new run\n"
    assert capsys.readouterr().err == f"minigpt: {told}"
    with pytest.raises(SystemExit):
        main(["train", "--config", str(run_file)])
    assert capsys.readouterr().err == f"minigpt: {told}"
    main(["runs", str(tmp_path)])
    assert f"damaged: {told}" in capsys.readouterr().out


def test_ladder_of_a_run_measures_its_model_on_its_own_split(trained, tmp_path, capsys):
    main(["eval", trained])
    nats, perplexity = re.findall(r"[\d.]+", capsys.readouterr().out)[:2]
    main(["ladder", "--run", trained])
    printed = capsys.readouterr().out
    assert re.search(rf"GPT +{nats} +{perplexity} ", printed)
    assert (tmp_path / "run" / "ladder.png").is_file()


def test_prepare_then_train_on_the_shards(tmp_path, capsys):
    (tmp_path / "text.txt").write_text(TEXT)
    main(
        [
            "prepare",
            str(tmp_path / "text.txt"),
            "--tokenizer",
            "char",
            "--out",
            str(tmp_path / "data"),
            "--workers",
            "1",
        ]
    )
    assert "next: minigpt train --data" in capsys.readouterr().out
    run = str(tmp_path / "run")
    main(["train", "--data", str(tmp_path / "data"), "--out", run, "--steps", "1", "--context-length", "8"])
    saved = json.loads((tmp_path / "run" / "run.json").read_text())
    assert saved["source"]["data"] == str(tmp_path / "data")


def test_a_glob_and_special_tokens_go_from_the_command_line_to_resuming_and_measuring(tmp_path, capsys):
    (tmp_path / "texts").mkdir()
    for name in ("a.py", "b.py", "c.txt"):
        (tmp_path / "texts" / name).write_text("the cat<|endoftext|>the dog sat on the mat\n" * 9)
    out, words = str(tmp_path / "run"), ["--text", str(tmp_path / "texts"), "--glob", "*.py", "--special-tokens"]
    small = [
        "--context-length",
        "4",
        "--d-model",
        "16",
        "--n-heads",
        "2",
        "--tokenizer",
        "bpe:270",
        "--batch-size",
        "2",
    ]
    main(["train", *words, "--out", out, "--steps", "2", "--device", "cpu", *small])
    saved = json.loads((tmp_path / "run" / "run.json").read_text())["source"]
    assert (saved["glob"], saved["special_tokens"]) == ("*.py", True)
    (tmp_path / "texts" / "c.txt").write_text("is not read, so it may change")
    capsys.readouterr()
    for command in (["train", "--resume", "--out", out], ["eval", out], ["ladder", "--run", out]):
        main(command)
    assert capsys.readouterr().err == ""
    (tmp_path / "texts" / "d.py").write_text("is read\n")
    with pytest.raises(SystemExit):
        main(["eval", out])
    assert f"{tmp_path / 'texts' / 'd.py'} is new since the run in {out} was started" in capsys.readouterr().err


def test_tokenizer_trains_saves_and_shows_the_pieces(tmp_path, capsys):
    (tmp_path / "text.txt").write_text(TEXT)
    out = tmp_path / "tokenizer.json"
    main(
        [
            "tokenizer",
            "--text",
            str(tmp_path / "text.txt"),
            "--vocab-size",
            "270",
            "--out",
            str(out),
            "--show",
            "the mat",
        ]
    )
    printed = capsys.readouterr().out
    assert "270 tokens" in printed and " | " in printed
    assert out.is_file()


def test_tokenizer_replaces_a_file_only_when_told_to(tmp_path, capsys):
    (tmp_path / "text.txt").write_text(TEXT)
    out = tmp_path / "tokenizer.json"
    out.write_text("mine")
    words = ["tokenizer", "--text", str(tmp_path / "text.txt"), "--vocab-size", "260", "--out", str(out)]
    with pytest.raises(SystemExit):
        main(words)
    assert (
        "tokenizer.json exists already; name another file with --out, or replace it with --force"
        in capsys.readouterr().err
    )
    assert out.read_text() == "mine"
    main([*words, "--force"])
    assert mg.load_tokenizer(out).vocab_size == 260


def test_equations_prints_each_with_its_function_and_its_largest_error(capsys):
    main(["equations"])
    printed = capsys.readouterr().out
    rows = re.findall(r"^([\w-]+) +(\d\.\de[+-]\d\d) +minigpt\.([\w.]+)$", printed, re.MULTILINE)
    assert [name for name, _, _ in rows] == [eq.name for eq in mg.equations.all()]
    assert rows[0][0] == "attention-weights" and rows[0][2] == "model.attention.attention_weights"
    assert all(float(error) < 1e-10 for _, error, _ in rows)
    assert "    a_{i,j} = exp(v_i · v_j) / (Σ_(k=1..n) exp(v_i · v_k))\n    Source: the seed document" in printed
    assert f"{len(rows)} equations, all equal to their functions within 1e-10" in printed


def test_equations_prints_json_and_nothing_else_on_stdout_even_where_one_differs(capsys, monkeypatch):
    main(["equations", "softmax", "gelu", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert [sorted(row) for row in figures] == [["function", "largest_error", "name", "ok", "source"]] * 2
    assert [(row["name"], row["ok"]) for row in figures] == [("softmax", True), ("gelu", True)]
    assert (
        figures[1]["function"] == "minigpt.model.mlp.gelu" and figures[1]["source"] == mg.equations.get("gelu").source
    )
    assert all(row["largest_error"] < 1e-10 for row in figures)
    for wrong, error in ((1.0, pytest.approx(1 / 0.8413447 - 1)), (float("nan"), None)):  # JSON has no number for NaN
        monkeypatch.setitem(CHECKS, "gelu", lambda function, draw, wrong=wrong: ({"x": 1.0}, wrong))
        with pytest.raises(SystemExit):
            main(["equations", "softmax", "gelu", "--json"])
        printed = capsys.readouterr()
        assert [(row["ok"], row["largest_error"]) for row in json.loads(printed.out)][1] == (False, error)
        assert "the code differs from 1 of 2 equations: gelu" in printed.err


def test_equations_names_those_that_their_function_differs_from(capsys, monkeypatch):
    monkeypatch.setitem(CHECKS, "gelu", lambda function, draw: ({"x": 1.0}, 1.0))
    with pytest.raises(SystemExit) as caught:
        main(["equations", "softmax", "gelu"])
    assert caught.value.code == 2
    assert "the code differs from 1 of 2 equations: gelu" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert f"usage: minigpt {command}" in printed
    assert "None" not in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sampel", "runs/mine"], "there is no command 'sampel'; choose one of train, runs, "),
        (["sampel", "runs/mine"], "; did you mean sample?"),
        ([""], "there is no command ''"),
        (["train", "--text", "nowhere.txt"], "nowhere.txt"),
        (["train", "--corpus", "bible"], "bible"),
        (["train", "--preset", "huge"], "preset='huge' is unknown; choose one of nano"),
        (["train", "--recipe", "best"], "recipe='best' is unknown"),
        (["train", "--n-heads", "7"], "d_model=128 must be divisible by n_heads=7; try d_model=126"),
        (["train", "--config", "nowhere.json"], "nowhere.json is missing"),
        (["train", "--resume"], "runs/default holds no run"),
        (["info", "nowhere"], "nowhere holds no run"),
        (["doctor", "nowhere"], "nowhere holds no run"),
        (["runs", "nowhere"], "there is no folder nowhere in "),
        (["train", "--steps", "0"], "steps=0 must be a whole number from 1 to"),
        (["train", "--device", "cuda:97", "--steps", "1"], "device='cuda:97' is not on this machine"),
        (["equations", "sofmax"], "no equation 'sofmax'; did you mean softmax"),
        (["sample", "nowhere", "--temperature", "-1"], "temperature=-1.0 must be finite and at least 0"),
        (["sample", "nowhere"], "there is no folder nowhere; `minigpt runs` lists"),
        (["eval", "nowhere"], "there is no folder nowhere; `minigpt runs` lists"),
        (["ladder", "--run", "nowhere"], "there is no folder nowhere; `minigpt runs` lists"),
        (["ladder", "--text", "nowhere.txt"], "nowhere.txt does not exist"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_status_2(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("minigpt: ") and message in error and "Traceback" not in error


def test_a_text_shorter_than_the_context_is_one_message(capsys, tmp_path):
    (tmp_path / "text.txt").write_text("too short")
    with pytest.raises(SystemExit):
        main(["train", "--text", str(tmp_path / "text.txt"), "--out", str(tmp_path / "run")])
    assert "65" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipe that breaks this way")
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    line = (
        f"{shlex.quote(sys.executable)} -m minigpt equations attention-weights cross-entropy softmax gelu | head -n 1"
    )
    result = subprocess.run(line, shell=True, capture_output=True, text=True, cwd=tmp_path)
    assert "largest error" in result.stdout
    assert result.stderr == ""


def test_python_dash_m_minigpt_is_the_same_command(tmp_path):
    result = subprocess.run([sys.executable, "-m", "minigpt", "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0 and "train" in result.stdout and result.stderr == ""


def test_compare_prints_a_table_and_keeps_the_figures_and_the_plot(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    words = ["compare", "optimizer=adamw,muon", "--seeds", "2", "--steps", "2", "--text", "text.txt", "--device", "cpu"]
    main([*words, "--context-length", "8", "--batch-size=2"])
    printed = capsys.readouterr().out
    assert re.search(r"optimizer=adamw +\d\.\d{4} ± \d\.\d{4} +–", printed)
    saved = json.loads((tmp_path / "runs" / "compare" / "compare.json").read_text())
    assert [len(trials) for trials in saved["trials"].values()] == [2, 2] and saved["n_tokens"] == 32
    assert (tmp_path / "runs" / "compare" / "compare.png").is_file()


def test_an_earlier_comparison_is_kept(tmp_path, capsys, monkeypatch):
    figures = Comparison(trials={"seed=0": [Trial(loss=1.0, curve=((1, 1.0),))]}, n_tokens=1)
    monkeypatch.setattr(mg, "compare", lambda *_, **__: figures)
    for name in ("compare", "compare-2", "compare-3"):
        main(["compare", "optimizer=adamw", "--out", str(tmp_path)])
        printed = capsys.readouterr().out
        assert f"figures: {tmp_path / name}.json" in printed and f"picture: {tmp_path / name}.png" in printed
    (tmp_path / "compare.json").unlink()
    main(["compare", "optimizer=adamw", "--out", str(tmp_path), "--json"])
    assert {path.name for path in tmp_path.iterdir()} == {
        *("compare.png", "compare-2.json", "compare-2.png", "compare-3.json", "compare-3.png", "compare-4.json")
    }


@pytest.mark.parametrize("command", [["train"], ["train", "--resume"], ["compare", "optimizer=adamw"]])
@pytest.mark.parametrize("empty", [["--out", ""], ["--out="]])
def test_an_empty_folder_is_refused(command, empty, capsys):
    with pytest.raises(SystemExit):
        main([*command, *empty])
    message = "an empty text '' names no file and no folder; leave the option out, or name one"
    assert capsys.readouterr().err == f"minigpt: {message}\n"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("learning_rate=1e-3,2e-3", [1e-3, 2e-3]),
        ("warmup-steps=0,none", [0, None]),
        ("compile=true,false,auto", [True, False, "auto"]),
        ("optimizer=adamw,muon", ["adamw", "muon"]),
        ("position=learned,rope-half", ["learned", "rope-half"]),
        ("n-layers=1,2", [1, 2]),
        ("window=none,16", [None, 16]),
        ("dropout=0,0.5", [0.0, 0.5]),
        ("preset=nano,micro", ["nano", "micro"]),
    ],
)
def test_a_switch_has_the_types_of_its_setting(text, values):
    assert parse_switch(text) == (text.partition("=")[0].replace("-", "_"), values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adamw,muon", "is not a setting with values; write NAME=VALUE,VALUE"),
        ("colour=red", "'colour' can't be compared"),
        ("corpus=a,b", "'corpus' can't be compared"),
        ("steps=many", "steps=many does not fit; expected int"),
        ("window=wide", "window=wide does not fit; expected int or none"),
        ("compile=maybe", "compile=maybe does not fit; expected bool or auto"),
    ],
)
def test_a_switch_that_fits_no_setting_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_switch(text)
