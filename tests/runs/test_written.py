import pytest

from minigpt.runs import RunConfig
from minigpt.runs.written import fillers_of, read_settings


def test_json_and_toml_say_the_same(tmp_path):
    (tmp_path / "a.json").write_text('{"training": {"steps": 5}, "recipe": "fast"}')
    (tmp_path / "a.toml").write_text('recipe = "fast"\n[training]\nsteps = 5\n')
    assert read_settings(tmp_path / "a.json") == read_settings(tmp_path / "a.toml")


def test_the_file_of_a_run_folder_is_one(tmp_path):
    (tmp_path / "run.json").write_text(RunConfig().to_json())
    assert RunConfig.of(recipe="fast").overlaid(read_settings(tmp_path / "run.json")) == RunConfig()


@pytest.mark.parametrize(
    ("name", "message"), [("a.toml", "is not TOML"), ("a.json", "is not JSON"), ("b.toml", "is missing")]
)
def test_a_file_of_another_kind_is_one_message(tmp_path, name, message):
    (tmp_path / "a.toml").write_text("= 3")
    (tmp_path / "a.json").write_text("= 3")
    with pytest.raises(ValueError, match=rf"{name} {message}"):
        read_settings(tmp_path / name)


@pytest.mark.parametrize("name", ["a.toml", "a.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, "a = " + "[" * 100_000, '{"a":' * 100_000, "a = " + "{b = " * 100_000])
def test_brackets_without_end_are_one_message(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name} is not "):
        read_settings(tmp_path / name)


def test_a_file_far_larger_than_settings_is_not_read(tmp_path):
    for name in ("a.toml", "a.json"):
        (tmp_path / name).write_text(" " * (2**20 + 1))
        with pytest.raises(ValueError, match=rf"{name} has 1,048,577 bytes; at most 1,048,576 are read"):
            read_settings(tmp_path / name)


def test_what_fills_is_taken_out_of_the_table():
    names, settings = fillers_of({"preset": "nano", "source": {"task": "qa", "language": "zh"}, "training": {}})
    assert names == {"preset": "nano", "recipe": None, "task": "qa", "from_pretrained": None}
    assert settings == {"source": {"task": "qa", "language": "zh"}, "training": {}}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"source": []}, r"source must be a table of settings, got \[\]"),
        ({"recipe": [1]}, r"recipe must be a text or None, got \[1\]"),
        ({"preset": 3}, "preset must be a text or None, got 3"),
        ({"source": {"task": {}}}, r"task must be a text or None, got \{\}"),
        ({"source": {"from_pretrained": 3}}, "from_pretrained must be a text or None, got 3"),
    ],
)
def test_what_fills_has_its_type(table, message):
    with pytest.raises(ValueError, match=message):
        fillers_of(table)
