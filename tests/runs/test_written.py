import pytest

from minigpt.runs import RunConfig
from minigpt.runs.written import read_settings


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
