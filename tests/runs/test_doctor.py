import json
import math

import pytest

import minigpt as mg
from minigpt.runs.doctor import examine, findings, validation_gaps
from minigpt.runs.symptoms import SYMPTOMS

V = 50
CONFIG = mg.RunConfig.of(steps=100, dropout=0.0).resolved(vocab_size=V)


def rows(losses, norms=None, **columns):
    """A log of these losses; columns are added to every row."""
    norms = [1.0] * len(losses) if norms is None else norms
    made = zip(losses, norms, strict=True)
    return mg.History([{"step": i, "loss": a, "gradient_norm": b, **columns} for i, (a, b) in enumerate(made)])


def evaluated(validation, losses):
    """A log with an evaluation at every tenth step, the first at step 9."""
    history = rows(losses)
    for i, loss in enumerate(validation):
        history.rows[10 * i + 9]["validation_loss"] = loss
    return history


FALLING = [1.5 + 2.4 * 0.95**i for i in range(100)]

# Ten runs without a bug, of other recipes, sizes, seeds, optimizers and texts.
HEALTHY = {
    "gpt2": {"recipe": "gpt2"},
    "fast": {"recipe": "fast", "seed": 1},
    "short": {"steps": 5},
    "wide": {"d_model": 96, "n_layers": 2, "n_heads": 4, "steps": 60},
    "dropout": {"dropout": 0.4, "learning_rate": 5e-3},
    "muon": {"recipe": "fast", "optimizer": "muon"},
    "momentum": {"optimizer": "momentum", "clip_norm": math.inf, "seed": 2},
    "fp16": {"precision": "fp16", "steps": 60},
    "own head": {"tied_head": False, "label_smoothing": 0.1},
    "by heart": {"steps": 200, "learning_rate": 1e-2, "few": True},
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name, n_stories in (("few", 6), ("many", 120)):
        (folder / f"{name}.txt").write_text(mg.TinyWorld().text(n_stories), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_has_no_symptoms(name, texts, tmp_path):
    own = dict(HEALTHY[name])
    text = texts / ("few.txt" if own.pop("few", False) else "many.txt")
    shape = {"n_layers": 1, "d_model": 32, "n_heads": 2, "context_length": 32}
    training = {"steps": 100, "batch_size": 16, "eval_every": 20, "device": "cpu"}
    mg.start_run(mg.RunConfig.of(**{**shape, **training, "text": text, "out": tmp_path / "run", **own}), progress=False)
    assert [str(finding) for finding in examine(tmp_path / "run")] == []


@pytest.mark.parametrize(
    ("symptom", "config", "history"),
    [
        ("no-gradient", {}, rows([math.log(V)] * 100, [0.0] * 100)),
        ("small-gradient", {}, rows([3.9 - 0.002 * i for i in range(100)], [0.05] * 100)),
        ("rise-at-start", {}, rows([3.9, 3.8, 4.5, *FALLING])),
        ("copied-input", {}, rows([3.4 * 0.9**i for i in range(100)])),
        ("too-good", {}, rows([3.9 * 0.9**i for i in range(100)], validation_loss=0.05)),
        ("too-good", {}, rows([3.9 * 0.9**i for i in range(100)], validation_loss=0.5, floor=1.0)),
        ("growing-gradient", {}, rows(FALLING, [2.0 + i for i in range(100)])),
        ("no-loss-scale", {"precision": "fp16"}, rows(FALLING)),
        ("no-loss-scale", {"precision": "fp16"}, rows(FALLING, loss_scale=1.0)),
        ("no-dropout-gap", {"dropout": 0.5}, rows(FALLING, validation_loss=1.6)),
        ("overfitting", {}, evaluated([2.9, 2.4, 2.6, 2.9, 3.1], FALLING)),
        ("overfitting", {}, evaluated([4.3, 4.2, 4.1], FALLING)),
        ("no-overfitting", {}, rows([3.9, *[0.3] * 99], validation_loss=0.3, epochs=500.0)),
    ],
)
def test_each_symptom_is_seen_in_a_log_that_shows_it(symptom, config, history):
    assert [finding.name for finding in findings(CONFIG.changed(**config), history)] == [symptom]


@pytest.mark.parametrize(
    ("config", "history"),
    [
        ({}, rows(FALLING)),
        ({}, rows([min(3.5, loss) for loss in FALLING])),  # a text in which many tokens repeat the one before
        ({}, rows([3.9, 3.8, 4.1, *FALLING])),  # a little bump
        (
            {},
            rows([3.9 * 0.9**i for i in range(100)], validation_loss=0.5, floor=0.52),
        ),  # near the floor
        ({"precision": "fp16"}, rows(FALLING, loss_scale=65536.0)),
        ({"dropout": 0.5}, rows(FALLING, validation_loss=1.3)),
        ({}, rows([3.9, *[0.3] * 99], validation_loss=0.3, epochs=0.1)),
        ({}, mg.History([{"step": 50, "loss": 0.1, "gradient_norm": 0.0}])),  # the first steps are not in the log
        ({}, evaluated([2.4, 2.3, 2.38], FALLING)),  # noise of the evaluation
        ({}, evaluated([2.4, 2.3, 2.8], [*FALLING[:18], *[2.3 + 0.03 * i for i in range(80)]])),  # both losses rise
        ({}, evaluated([4.2, 4.1, 4.1], [4.1] * 100)),  # nothing is learnt
        ({}, mg.History([])),
        ({}, mg.History([{"step": 0, "loss": 3.9}])),  # a log of another program, with losses alone
    ],
)
def test_what_only_looks_like_a_symptom_is_not_named(config, history):
    assert findings(CONFIG.changed(**config), history) == []


def test_updates_that_were_skipped_are_counted():
    history = rows(FALLING)
    history.rows[7]["skipped"] = history.rows[9]["skipped"] = 1
    (finding,) = findings(CONFIG, history)
    assert finding.evidence == "2 updates were skipped, the first at step 7"


def test_overfitting_is_told_with_the_step_of_the_lowest_validation_loss_and_the_uniform_guess():
    (finding,) = findings(CONFIG, evaluated([3.1, 4.49, 6.40], FALLING))
    assert finding.evidence == (
        "from step 10 on the validation loss rises from 3.10 to 6.40 nats per token, while the training loss falls "
        "from 2.99 to 2.03; 6.40 is worse than a uniform guess, 3.91"
    )


def test_a_finding_says_what_fits_what_decides_and_what_to_change():
    (finding,) = findings(CONFIG, rows([math.log(V)] * 100, [0.0] * 100))
    assert "fits: dead-initialisation; frozen parameters" in str(finding) and "test: mg.sanity." in str(finding)
    assert json.loads(json.dumps(finding.to_object()))["symptom"] == "no-gradient"


def test_a_gap_is_between_the_validation_loss_and_the_training_loss_around_it():
    history = rows([float(i) for i in range(20)])
    history.rows[10]["validation_loss"] = 12.0  # around it: steps 6 to 15, mean 10.5
    assert validation_gaps(history) == [1.5]


def test_a_folder_without_a_log_is_one_message(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        examine(tmp_path)
    (tmp_path / "run.json").write_text(CONFIG.to_json())
    with pytest.raises(ValueError, match=r"has no log\.jsonl yet"):
        examine(tmp_path)


def test_each_symptom_names_a_check_that_exists():
    for symptom in SYMPTOMS.values():
        for word in symptom.test.split():
            if word.startswith("mg.sanity."):
                assert hasattr(mg.sanity, word.removeprefix("mg.sanity.").partition("(")[0])
