import pytest
import torch

from minigpt.bench import reports
from minigpt.bench.reports import aligned
from minigpt.settings.language import columns_of
from minigpt.training.processes import hardware


def test_columns_are_as_wide_as_they_need_to_be_names_left_and_numbers_right():
    rows = [["a", "1.00"], ["longer", "12.50"]]
    assert reports.aligned(("name", "x"), rows) == ["name        x", "a        1.00", "longer  12.50"]


def test_words_in_the_place_of_numbers_widen_no_column():
    lines = reports.aligned(("name", "x", "y"), [["a", "1", "2"], ["b", "skipped: it does not work here"]])
    assert lines == ["name  x  y", "a     1  2", "b     skipped: it does not work here"]


def test_the_machine_is_named_with_its_threads_and_torch(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: A Fine CPU\n", encoding="utf-8")
    monkeypatch.setattr(reports, "usable_cores", lambda: 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert (
        reports.machine_line(reports.torch.device("cpu")) == f"A Fine CPU, 1 core, 2 threads, torch {torch.__version__}"
    )
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    assert reports.machine_line(torch.device("cuda")) == f"NVIDIA H100, torch {torch.__version__}"


def test_a_name_has_the_same_colour_in_each_group_and_bars_do_not_overlap():
    pytest.importorskip("matplotlib")
    axes = reports.bar_chart({"A": {"x": 1.0, "y": 2.0}, "B": {"y": 3.0}}, "speed", limit=1.0).axes[0]
    x, y = axes.containers
    assert [bar.get_height() for bar in y] == [2.0, 3.0]
    assert y[0].get_facecolor() == y[1].get_facecolor() != x[0].get_facecolor()
    assert x[0].get_x() + x[0].get_width() <= y[0].get_x() + 1e-9
    assert axes.get_ylabel() == "speed" and [text.get_text() for text in axes.get_xticklabels()] == ["A", "B"]
    assert list(axes.lines[0].get_ydata()) == [1.0, 1.0]


def test_a_chart_has_room_for_more_names_than_there_are_colours():
    axes = reports.bar_chart({"A": {str(i): float(i) for i in range(1, 40)}}, "speed").axes[0]
    looks = {(bar.get_facecolor(), bar.get_alpha()) for bar in axes.patches}
    assert len(looks) == 39


def test_a_table_with_chinese_words_stands_in_columns():
    head, row = aligned(["形状", "", "词元/秒"], [["1 × 16", "minigpt", "12,345.67"]], n_names=2)
    assert columns_of(head) == columns_of(row) and head.endswith("词元/秒") and row.endswith("12,345.67")
