"""Each bug of the zoo beside the healthy run: told apart, caught by its check, and named from the log alone."""

import pytest

import minigpt as mg
from minigpt.learn.zoo import BUGS
from minigpt.runs.doctor import examine

SEEDS = (0, 1, 2)
SILENT = {"decay-of-norms"}  # leave no trace in a log


@pytest.fixture(scope="module", params=[pytest.param(name, id=name) for name in BUGS])
def outcomes(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    return [(mg.learn.zoo.run(request.param, seed, out / str(seed)), out / str(seed)) for seed in SEEDS]


def test_a_bug_is_told_apart_caught_and_named(outcomes):
    for outcome, out in outcomes:
        bug = outcome.bug
        assert bug.differs(outcome.healthy, outcome.sick), str(outcome)
        caught, passed = bug.caught_by(outcome.sick), bug.caught_by(outcome.healthy)
        assert not caught, str(caught)
        assert passed, str(passed)
        assert not examine(out / "healthy")
        named = [finding.symptom.fits[0] for finding in examine(out / "sick")]
        assert named == ([] if bug.name in SILENT else [bug.name])


def test_the_log_shows_at_least_eight_of_ten():
    assert len(BUGS) == 10 and len(BUGS) - len(SILENT) >= 8


def test_a_bug_is_described_in_both_languages():
    for bug in BUGS.values():
        assert bug.says["en"] and any("一" <= letter <= "鿿" for letter in bug.says["zh"])


def test_an_unknown_bug_is_named():
    with pytest.raises(ValueError, match="leaked-mask"):
        mg.learn.zoo.run("leaked mask")


def test_the_floor_is_that_of_the_tiny_world():
    from minigpt.learn.zoo.experiment import FLOOR

    text = "".join(mg.TinyWorld(split=split).text(200) for split in ("train", "validation"))
    floor = mg.TinyWorld(split="validation").floor(mg.CharTokenizer.train(text), 20).nats_per_token
    assert floor == pytest.approx(FLOOR, abs=0.01)


def test_the_plot_shows_both_runs():
    pytest.importorskip("matplotlib", reason="a plot needs matplotlib: install the viz extra")
    labels = [text.get_text() for text in mg.learn.zoo.run("dead-initialisation").plot().axes[0].get_legend().texts]
    assert labels == ["healthy: training", "healthy: validation", "sick: training", "sick: validation"]
