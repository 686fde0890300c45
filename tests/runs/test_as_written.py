"""The recipe "as-written" on our own parts, with the script itself, mended, as the oracle."""

import json
import math
import warnings

import pytest
import torch

import minigpt as mg
from minigpt.cli import main
from minigpt.runs import RunConfig
from minigpt.text.datasets.windows import IGNORED_TARGET

DOCUMENTS = [f"document {i} is {'very ' * (i * 7 % 11)}long" for i in range(40)]
TOKENIZER = mg.BPETokenizer.train(" ".join(DOCUMENTS), 270)
CONTEXT_LENGTH = 16  # the longest documents are cut, which one warning says
pytestmark = pytest.mark.filterwarnings("ignore:.* documents are longer than context_length=16")


@pytest.fixture
def folder(tmp_path):
    """A small GPT-2 in the format of Hugging Face, none of whose parameters is 0 or 1."""
    shape = {"vocab_size": 270, "context_length": CONTEXT_LENGTH, "d_model": 16, "n_layers": 2, "n_heads": 2}
    model = mg.GPT(mg.GPTConfig(**shape, dropout=0.1), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    mg.save_pretrained(model, tmp_path / "gpt2", TOKENIZER)
    return tmp_path / "gpt2"


@pytest.fixture
def make_config(folder, tmp_path):
    (tmp_path / "my.txt").write_text("\n\n".join(DOCUMENTS))
    places = {"text": tmp_path / "my.txt", "from_pretrained": folder, "out": tmp_path / "run"}
    return lambda **changes: RunConfig.of(**{"recipe": "as-written", **places, "device": "cpu", **changes})


@pytest.fixture
def config(make_config):
    return make_config()


def texts(data, step):
    """The documents of a step's batch, as far as the context reaches."""
    for (first, *_), row in zip(*(part.tolist() for part in data.batch(step, 32)), strict=True):
        if ids := [token for token in row if token != IGNORED_TARGET]:
            yield TOKENIZER.decode([first, *ids])


def losses_of_the_script(folder, batches):
    """Model, tokenizer, loss and optimizer are those of transformers and PyTorch."""
    from transformers import AutoTokenizer, GPT2LMHeadModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), GPT2LMHeadModel.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for batch in batches:
        inputs = tokenizer(batch, return_tensors="pt", padding=True, truncation=True)
        labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item()


def test_the_losses_are_those_of_the_script_at_every_step(config, folder):
    run = mg.start_run(config, progress=False)
    ended = [text + "<|endoftext|>" for text in DOCUMENTS]

    def uncut(start):
        """The whole text that a row begins, so that their tokenizer has to cut it."""
        return next(text for text in ended if text.startswith(start))

    batches = [[uncut(text) for text in texts(run.data, step)] for step in range(run.config.training.steps)]
    assert [len(batch) for batch in batches] == [32, 4] * 10
    assert max(len(TOKENIZER.encode(text)) for text in DOCUMENTS) > CONTEXT_LENGTH
    theirs = torch.tensor(list(losses_of_the_script(folder, batches)))
    ours = torch.tensor([row["loss"] for row in run.history.rows])
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert ours[-1] < ours[0] - 0.3


def test_what_exceeds_the_context_is_counted_in_one_warning(config, monkeypatch):
    beyond = [max(0, len(TOKENIZER.encode(text + "<|endoftext|>", allow_special=True)) - 16) for text in DOCUMENTS]
    told = (
        rf"^{sum(map(bool, beyond))} of 40 documents are longer than context_length=16, and their {sum(beyond)} tokens "
        "beyond it are dropped; a longer context or shorter documents keep them$"
    )
    with pytest.warns(UserWarning, match=told) as warned:
        run = mg.prepare_run(config)
    assert len(warned) == 1 and sum(beyond) == 52
    seen = run.data.n_dropped + run.validation.n_dropped
    assert seen == sum(beyond)
    monkeypatch.setenv("RANK", "1")  # of several processes one says it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mg.prepare_run(config)


def test_documents_that_fit_the_context_are_not_spoken_of(make_config, tmp_path):
    (tmp_path / "my.txt").write_text("\n\n".join(text[:12] for text in DOCUMENTS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = mg.prepare_run(make_config())
    assert (run.data.n_cut, run.data.n_dropped) == (0, 0)


def test_ten_epochs_become_steps_that_the_run_file_keeps(config):
    run = mg.prepare_run(config)
    assert (run.data.n_rows, run.validation.n_rows) == (36, 4)
    assert run.config.training.steps == 10 * math.ceil(36 / 32)
    assert mg.prepare_run(config.changed(batch_size=5)).config.training.steps == 10 * math.ceil(36 / 5)
    assert mg.prepare_run(config.changed(steps=3)).config.training.steps == 3


def test_a_resumed_run_ends_where_the_uninterrupted_one_does(config, tmp_path):
    whole = mg.start_run(config.changed(steps=4, checkpoint_every=2), progress=False)
    first = config.out / "checkpoints" / "step-00000002"
    assert first.is_dir()
    (config.out / "checkpoints" / "step-00000004").rename(tmp_path / "put-aside")
    resumed = mg.start_run(RunConfig.read(config.out), resume=True, progress=False)
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_first_step_starts_from_the_weights_and_the_tokenizer_of_the_folder(config, folder):
    run = mg.prepare_run(config)
    for a, b in zip(run.model.parameters(), mg.load_pretrained(folder)[0].parameters(), strict=True):
        assert torch.equal(a, b)
    assert run.tokenizer.encode(DOCUMENTS[0]) == TOKENIZER.encode(DOCUMENTS[0])


def test_the_other_recipe_trains_a_pretrained_model_on_one_long_text_with_its_dropout(config, make_config):
    run = mg.prepare_run(make_config(recipe="gpt2", context_length=10))
    assert run.data.n_tokens > 300 and run.data.context_length == 10
    assert (run.model.config.context_length, run.model.config.dropout) == (CONTEXT_LENGTH, 0.1)
    assert mg.prepare_run(config).model.config.dropout == 0
    assert mg.prepare_run(config.changed(dropout=0.5)).model.config.dropout == 0.5


def test_without_a_folder_it_starts_from_a_preset_with_the_tokenizer_of_gpt2(make_config):
    run = mg.prepare_run(make_config(from_pretrained=None))
    assert run.tokenizer.name == "tiktoken:gpt2"
    assert run.model.config == mg.GPTConfig.preset("nano", vocab_size=50257).resolved()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"recipe": "fast"},
            r"the model in .*gpt2 has parts of its own, so position='rope-half', norm='rms', .* can't be",
        ),
        ({"preset": "nano"}, r"the model in .*gpt2 has a size of its own, so preset='nano' can't be chosen"),
        ({"data": "shards"}, "documents=True reads a text, and shards holds one long row of tokens; give a text"),
        ({"from_pretrained": "openai/gpt2"}, "openai/gpt2 is not a folder; nothing is downloaded here"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(make_config, changes, message):
    with pytest.raises(ValueError, match=message):
        mg.prepare_run(make_config(**changes))


def test_rows_longer_than_the_context_of_the_pretrained_model_are_refused(config):
    with pytest.raises(ValueError, match="context_length=64, the model takes 16"):
        mg.start_run(config.changed(context_length=64), progress=False)


def test_the_command_trains_on_a_folder_samples_and_evaluates(config, folder, tmp_path, capsys):
    (tmp_path / "texts").mkdir()
    for i, document in enumerate(DOCUMENTS[:12]):
        (tmp_path / "texts" / f"{i:02}.txt").write_text(document)
    out = str(tmp_path / "run")
    words = ["--recipe", "as-written", "--text", str(tmp_path / "texts"), "--from-pretrained", str(folder)]
    main(["train", *words, "--out", out, "--device", "cpu"])
    printed = capsys.readouterr().out
    assert "text:  10 documents to learn from, 2 documents" in printed and "10 steps of 32 sequences" in printed
    saved = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (saved["training"]["steps"], saved["source"]["from_pretrained"]) == (10, str(folder))
    main(["sample", out, "--prompt", "document", "--max-new-tokens", "3"])
    main(["eval", out])
    loss = float(printed.partition("validation split: ")[2].split()[0])
    assert float(capsys.readouterr().out.splitlines()[-1].split()[0]) == pytest.approx(loss, abs=1e-3)
    with pytest.raises(SystemExit):
        main(["ladder", "--run", out])
    assert "the ladder is for one long text, and the run reads 10 documents" in capsys.readouterr().err
