import dataclasses
import json
import math
import tomllib
from contextlib import suppress

import pytest

import minigpt as mg
from minigpt.model import PRESETS
from minigpt.runs import RECIPES, RunConfig, Source
from minigpt.runs.config import PARTS, RUN_FORMAT, part_of
from minigpt.settings import kinds
from minigpt.training import Lion, TrainConfig

EVERY = [RunConfig(), *(RunConfig.of(recipe=name) for name in RECIPES), RunConfig.of(preset="llama-tiny")]


def test_no_field_of_a_part_has_a_name_that_another_part_or_the_whole_has():
    names = [name for part in PARTS.values() for name in kinds(part)] + [
        field.name for field in dataclasses.fields(RunConfig)
    ]
    assert len(names) == len(set(names))


def test_each_name_leads_to_its_part():
    found = {part_of(name) for name in ("text", "n_layers", "steps", "out")}
    assert found == {"source", "model", "training", "out"}
    with pytest.raises(ValueError, match="n_layer is not a setting; did you mean n_layers"):
        part_of("n_layer")


@pytest.mark.parametrize("config", EVERY)
@pytest.mark.parametrize("resolved", [False, True])
def test_a_configuration_goes_to_run_json_and_back(config, resolved, tmp_path):
    config = dataclasses.replace(config.resolved(vocab_size=99, steps=7) if resolved else config, out=tmp_path)
    (tmp_path / "run.json").write_text(config.to_json())
    assert RunConfig.read(tmp_path) == config
    json.loads(config.to_json(), parse_constant=pytest.fail)  # infinity is not JSON


def test_what_is_resolved_follows_no_rule_any_more():
    for config in EVERY:
        plan = config.resolved(vocab_size=99)
        assert plan.resolved() == plan
        assert None not in (plan.training.learning_rate, plan.training.final_learning_rate, plan.training.warmup_steps)
        assert None not in (plan.model.n_kv_heads, plan.model.d_hidden)
        assert plan.model.vocab_size == 99


def test_the_rules_give_the_values_that_the_parts_use_by_themselves():
    config = RunConfig.of(d_model=96, n_heads=3, mlp="swiglu", steps=700, learning_rate=0.5, schedule="wsd")
    plan = config.resolved()
    assert (
        (plan.model.kv_heads, plan.model.hidden_width) == (config.model.kv_heads, config.model.hidden_width) == (3, 256)
    )
    assert (plan.training.warmup_steps, plan.training.decay_steps) == (35, 140)
    assert [plan.training.rate(t) for t in (1, 300, 650)] == [config.training.rate(t) for t in (1, 300, 650)]


def test_the_learning_rate_follows_the_width_and_the_optimizer_unless_it_is_set():
    def rate(**settings):
        return RunConfig.of(**settings).resolved().training.learning_rate

    assert rate() == 2e-3 and rate(recipe="fast") == 8 * 1.7e-3
    assert rate(d_model=512) == 2e-3 / 4
    assert rate(optimizer="lion") == 2e-3 * Lion.relative_rate
    assert rate(optimizer="lion", learning_rate=0.25) == 0.25
    assert rate(rate_at_128=1.0, d_model=256, n_heads=2) == 0.5


def test_what_is_set_wins_over_the_recipe_which_wins_over_the_preset():
    config = RunConfig.of(preset="llama-tiny", recipe="fast", n_heads=4, n_kv_heads=2)
    assert (config.model.d_model, config.model.norm, config.model.mlp, config.model.n_heads) == (256, "rms", "relu2", 4)
    assert RunConfig.of(preset="llama-tiny").model.mlp == "swiglu"
    assert RunConfig.of(preset="llama-tiny", recipe="gpt2").model.mlp == "gelu-tanh"


def test_a_task_brings_its_recipe_and_steps_take_the_place_of_epochs():
    assert RunConfig.of(task="story").training.steps == RECIPES["story"].training["steps"]
    assert RunConfig.of(task="story").source == Source(task="story", tokenizer="bpe:1024")
    script = RunConfig.of(recipe="as-written")
    assert (script.source.epochs, script.training.clip_norm) == (10, math.inf)
    assert RunConfig.of(recipe="as-written", steps=5).source.epochs is None
    assert script.changed(steps=5).source.epochs is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "huge"}, "preset='huge' is unknown; choose one of nano"),
        ({"recipe": "best"}, "recipe='best' is unknown; choose one of gpt2, fast"),
        ({"task": "sing"}, "sing"),
        ({"stps": 3}, "stps is not a setting; did you mean steps"),
        ({"steps": 1.5}, "steps must be int, got 1.5"),
        ({"beta_2": None}, "beta_2 must be float, got None"),
        ({"n_heads": 7}, "d_model=128 must be divisible by n_heads=7"),
        ({"text": "a.txt", "task": "qa"}, "task='qa' makes up its own text; leave text out"),
        ({"tokenizer": None}, "tokenizer=None is that of a pretrained model, and there is none"),
        ({"epochs": 3}, "epochs=3 needs documents=True"),
        ({"reading": 1.5}, r"reading=1.5 must lie in \[0, 1\]"),
        ({"reading": math.nan}, r"reading=nan must lie in \[0, 1\]: it is a share of the steps"),
        ({"validation_fraction": math.nan}, "validation_fraction=nan must lie between 0 and 1"),
        ({"epochs": 10**30, "documents": True}, "epochs=10{30} must be a whole number from 1 to 1,000,000"),
        ({"epochs": 0, "documents": True}, "epochs=0 must be a whole number from 1 to 1,000,000"),
        ({"epochs": 2, "documents": True, "steps": 5}, "steps=5 and epochs=2 both say how long to train; give one"),
        ({"preset": ""}, "preset='' is unknown; choose one of nano"),
        ({"preset": 3}, "preset must be one of nano, micro, .*, got 3"),
        ({"preset": "gtp2"}, r"preset='gtp2' is unknown; .*; did you mean gpt2\?"),
        ({"recipe": ""}, "recipe='' is unknown; choose one of gpt2"),
        ({"recipe": [1]}, r"recipe must be one of gpt2, .*, got \[1\]"),
        ({"recipe": "fsat"}, r"recipe='fsat' is unknown; .*; did you mean fast\?"),
        ({"task": ""}, "task='' is unknown; choose one of story"),
        ({"task": {}}, r"task must be a text or None, got \{\}"),
        ({"task": "storys"}, r"task='storys' is unknown; .*; did you mean story\?"),
        ({"corpus": "tinyworld"}, r"corpus='tinyworld' is unknown; .*; did you mean tiny-world\?"),
        ({"language": "de"}, "language='de' is unknown; choose one of en, zh, both"),
        ({"from_pretrained": 3}, "from_pretrained must be a path or None, got 3"),
        ({"text": ""}, "text must be a path or None, got ''"),
        ({"out": ""}, "out must be a path, got ''"),
        ({"tokenizer": "char:9"}, "tokenizer='char:9': a char tokenizer has as many tokens as the text has characters"),
        ({"tokenizer": "bpe:many"}, "tokenizer='bpe:many': after 'bpe:' comes the number of tokens, up to 1,000,000"),
        ({"tokenizer": "bpe:" + "9" * 5000}, "after 'bpe:' comes the number of tokens, up to 1,000,000"),
        ({"tokenizer": "bpe:"}, "after 'bpe:' comes the number of tokens"),
        ({"tokenizer": ""}, "tokenizer='' names none"),
        ({"tokenizer": 5}, "tokenizer must be a text or None, got 5"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0 must lie between 0 and 1"),
    ],
)
def test_a_wrong_setting_is_one_message(settings, message):
    with pytest.raises(ValueError, match=message):
        RunConfig.of(**settings)


def run_file(**changes):
    return json.dumps({**json.loads(RunConfig().to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "should hold a JSON object"),
        ('{"steps": 3, "text": null}', f"it has no format, so it is older than the {RUN_FORMAT} that"),
        ('{"format": 2, "model": {}}', "it lacks source, training"),
        ('{"format": 1, "steps": 3}', f"it has format 1, an older one than the {RUN_FORMAT}"),
        (run_file(format=1), f"it has format 1, an older one than the {RUN_FORMAT} that this minigpt reads"),
        (run_file(format=99), f"it has format 99, a newer one than the {RUN_FORMAT} that this minigpt reads"),
        (run_file(colour=1), "colour is not a setting"),
        (run_file(out="elsewhere"), "it names a folder of its own"),
        (run_file(training={"steps": 1.5}), r"training\.steps must be int, got 1\.5"),
        (run_file(training={"compile": "no"}), r"compile='no' is unknown; choose one of True, False, 'auto'"),
        (run_file(model={"n_layers": 0}), r"model\.n_layers=0 must be a whole number from 1 to 4,096"),
        (run_file(source=3), "source must be a table of settings, got 3"),
        (run_file(source=[]), r"source must be a table of settings, got \[\]"),
        (run_file(steps=5), r'steps belongs under training: \[training\] in TOML, or "training": '),
        (run_file(text="a"), "text belongs under source"),
        (run_file(model={"n_layers": 10**12}), r"model\.n_layers=10{12} must be a whole number from 1 to 4,096"),
        (run_file(model={"d_model": 10**30}), r"model\.d_model=10{30} must be a whole number"),
        (run_file(source={"documents": True, "epochs": 10**30}), r"source\.epochs=10{30} must be a whole number"),
        (run_file(training={"seed": 10**30}), r"training\.seed=10{30} must be a whole number"),
        (run_file(training={"batch_size": [4]}), r"training\.batch_size must be int, got \[4\]"),
        (run_file(format={"a": 1}), r"it has format \{'a': 1\}, which is not a format of minigpt, a whole number"),
        (run_file(format="2"), "it has format '2', which is not a format of minigpt"),
        (run_file(format=1.5), r"it has format 1\.5, which is not a format of minigpt"),
        (run_file(format=None), "it has format None, which is not a format of minigpt"),
        (run_file(format=True), "it has format True, which is not a format of minigpt"),
        (run_file(trainning={"steps": 5}), r"trainning is not a setting; did you mean training\?"),
        (run_file(modell={"n_layers": 5}), r"modell is not a setting; did you mean model\?"),
        (run_file(n_layer=5), r"n_layer is not a setting; did you mean n_layers\?"),
        ("[" * 100_000, "is not JSON"),
        (" " * 2**20 + "{}", "has 1,048,578 bytes; at most 1,048,576 are read"),
    ],
    ids=range(31),
)
def test_a_broken_run_file_is_one_message_that_names_it(tmp_path, text, message):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=rf"run\.json.*{message}"):
        RunConfig.read(tmp_path)


JSON_VALUES = [0, -1, 7, 10**30, 10**400, 1.5, math.nan, math.inf, "x", "", "inf", "none", True, None, [], [1], {}]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", JSON_VALUES, ids=range(len(JSON_VALUES)))
def test_every_field_of_a_run_file_with_any_other_value_is_refused_or_means_the_same(tmp_path, part, value):
    whole = json.loads(RunConfig.of(recipe="fast").resolved().to_json())
    for name, own in whole[part].items():
        (tmp_path / "run.json").write_text(json.dumps({**whole, part: {**whole[part], name: value}}))
        with suppress(ValueError):
            found = RunConfig.read(tmp_path)
            kept = getattr(getattr(found, part), name)
            meant = {"none": None, "inf": math.inf}.get(value, value) if isinstance(value, str) else value
            assert kept in (value, meant) or kept == float(value) or str(kept) == value, (name, own, value)
            assert type(kept) in (type(meant), type(value), float) or name in (
                "text",
                "data",
                "from_pretrained",
                "tokenizer",
            )


@pytest.mark.parametrize("value", JSON_VALUES, ids=range(len(JSON_VALUES)))
def test_each_part_and_the_whole_with_any_other_value_is_refused_or_meant(tmp_path, value):
    whole = json.loads(RunConfig().to_json())
    for name in whole:
        (tmp_path / "run.json").write_text(json.dumps({**whole, name: value}))
        with suppress(ValueError):
            RunConfig.read(tmp_path)
            assert (name, value) == ("model", {}) or value == {}
    with suppress(ValueError):
        RunConfig().overlaid(value)
        assert value == {}
    for name in ("preset", "recipe", "task", "from_pretrained"):
        with suppress(ValueError):
            assert RunConfig.of(**{name: value}) and value is None


def test_epochs_that_come_to_more_steps_than_can_be_trained_are_named():
    config = RunConfig.of(documents=True, epochs=10**6, batch_size=4)
    with pytest.raises(
        ValueError, match="epochs=1000000 over this text are 2,000,000,000 steps of 4 sequences; at most"
    ):
        config.resolved(steps=2 * 10**9)


def test_epochs_and_steps_that_are_changed_one_after_the_other_follow_the_last():
    config = RunConfig.of(documents=True, epochs=2)
    assert config.changed(steps=5).source.epochs is None
    assert config.changed(steps=5, epochs=None).source.epochs is None
    with pytest.raises(ValueError, match="steps=5 and epochs=3 both say how long to train"):
        config.changed(steps=5, epochs=3)


def test_a_table_of_steps_and_epochs_is_refused_as_the_keywords_are():
    both = {"training": {"steps": 5}, "source": {"documents": True, "epochs": 3}}
    for table in (both, {"format": 2, **both}):
        with pytest.raises(ValueError, match="steps=5 and epochs=3 both say how long to train; give one of them"):
            RunConfig().overlaid(table)
    config = RunConfig.of(documents=True, epochs=2).overlaid({"training": {"steps": 5}})
    assert (config.training.steps, config.source.epochs) == (5, None)
    config = RunConfig.of(steps=5).overlaid({"source": both["source"]})
    assert (config.training.steps, config.source.epochs) == (5, 3)
    config = RunConfig().overlaid({"training": {"steps": 5}, "source": {"documents": True, "epochs": "none"}})
    assert (config.training.steps, config.source.epochs) == (5, None)


def test_the_file_of_a_run_of_epochs_keeps_the_steps_that_they_came_to(tmp_path):
    plan = RunConfig.of(documents=True, epochs=3).resolved(vocab_size=50, steps=12)
    (tmp_path / "run.json").write_text(plan.to_json())
    assert RunConfig.read(tmp_path).changed(out=plan.out) == plan
    assert (plan.training.steps, plan.source.epochs) == (12, 3)


def test_a_toml_table_fills_what_it_names():
    table = tomllib.loads("[model]\nn_layers = 2\n[training]\nsteps = 9\nclip_norm = inf\nlearning_rate = 'none'\n")
    config = RunConfig(training=TrainConfig(learning_rate=0.1)).overlaid(table)
    assert (config.model.n_layers, config.training.steps, config.training.clip_norm) == (2, 9, math.inf)
    assert config.training.learning_rate is None


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_vocabulary_until_the_tokenizer_brings_its_own(name):
    assert (
        RunConfig.of(preset=name).resolved(vocab_size=11).model == mg.GPTConfig.preset(name, vocab_size=11).resolved()
    )
