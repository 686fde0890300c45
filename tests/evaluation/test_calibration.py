import json
import math

import numpy as np
import pytest
import torch

from minigpt.evaluation.calibration import Calibration, expected_calibration_error

CONFIDENCE = np.array([0.95, 0.9, 0.9, 0.6, 0.55, 0.2])
RIGHT = np.array([1, 1, 0, 1, 0, 0])


def literal_error(confidence, right, bins):
    """Accuracy and confidence of each bin, weighed by its size."""
    total = 0.0
    for k in range(bins):
        mine = [(c, y) for c, y in zip(confidence, right, strict=True) if k / bins < c <= (k + 1) / bins]
        if mine:
            c, y = np.mean(mine, axis=0)
            total += len(mine) / len(right) * abs(y - c)
    return total


@pytest.mark.parametrize("bins", [1, 2, 7, 15])
def test_the_error_is_that_of_the_bins_one_by_one(bins):
    rng = np.random.default_rng(bins)
    confidence, right = rng.uniform(0.01, 1, 129), rng.integers(0, 2, 129)
    confidence[:2] = 1.0
    assert Calibration(confidence, right, bins).error == pytest.approx(literal_error(confidence, right, bins))


def test_a_border_belongs_to_the_bin_below_it():
    confidence = torch.tensor([0.5, 0.75], dtype=torch.float64)
    right = torch.tensor([1, 0])
    # two bins: 0.5 is alone in the first, so nothing cancels
    assert expected_calibration_error(confidence, right, 2).item() == pytest.approx((0.5 + 0.75) / 2)
    assert [row.n for row in Calibration(CONFIDENCE, RIGHT, 10).bins] == [0, 1, 0, 0, 0, 2, 0, 0, 2, 1]


def test_answers_as_often_right_as_the_model_is_sure_have_a_small_error_and_too_sure_ones_have_their_excess():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 0.9, 20_000)
    right = rng.uniform(size=20_000) < sure
    assert Calibration(sure, right).error < 0.02
    assert Calibration(sure + 0.1, right).error == pytest.approx(0.1, abs=0.01)


def test_the_curve_answers_equal_confidences_together():
    thresholds, coverage, accuracy = Calibration(CONFIDENCE, RIGHT).curve
    np.testing.assert_allclose(thresholds, [0.95, 0.9, 0.6, 0.55, 0.2])
    np.testing.assert_allclose(coverage, np.array([1, 3, 4, 5, 6]) / 6)
    np.testing.assert_allclose(accuracy, [1, 2 / 3, 3 / 4, 3 / 5, 3 / 6])


def test_the_risk_at_a_coverage_is_that_of_the_surest_answers():
    report = Calibration(CONFIDENCE, RIGHT)
    found = [report.risk_at(c) for c in (0.1, 1 / 6, 0.2, 0.5, 4 / 6, 1.0)]
    np.testing.assert_allclose(found, [0, 0, 1 / 3, 1 / 3, 1 / 4, 1 / 2])


def test_the_threshold_is_the_lowest_that_reaches_the_accuracy():
    report = Calibration(CONFIDENCE, RIGHT)
    assert [report.threshold_for(a) for a in (0.5, 0.6, 0.7, 0.9)] == [0.2, 0.55, 0.6, 0.95]
    given = report.threshold_for(0.7) <= CONFIDENCE
    assert RIGHT[given].mean() >= 0.7
    assert Calibration(CONFIDENCE, 0 * RIGHT).threshold_for(0.1) is None


def test_the_report_is_a_table_json_and_a_picture():
    report = Calibration(CONFIDENCE, RIGHT, 2)
    assert [line.split()[2:] for line in str(report).splitlines()[1:3]] == [
        ["1", "20.0%", "0.0%"],
        ["5", "78.0%", "60.0%"],
    ]
    figures = json.loads(json.dumps(report.to_object()))
    assert figures["expected_calibration_error"] == pytest.approx((0.2 + 5 * 0.18) / 6)
    assert report.plot()._repr_png_().startswith(b"\x89PNG")


def test_a_mean_of_an_empty_bin_is_none_in_json():
    bins = Calibration(np.array([0.9]), np.array([1]), 3).to_object()["bins"]
    assert [each["accuracy"] for each in bins] == [None, None, 1.0]
    assert [each["confidence"] for each in bins] == [None, None, 0.9]
    json.dumps(bins, allow_nan=False)


def test_confidences_may_be_tensors_of_any_kind():
    given = torch.tensor([0.5, 0.25])
    for each in (given.bfloat16(), given.requires_grad_()):
        report = Calibration(each, torch.tensor([True, False]))
        assert report.confidence.tolist() == [0.5, 0.25] and report.right.tolist() == [True, False]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (([], []), r"n ≥ 1"),
        (([0.5], [1, 0]), "expected the same"),
        (([0.5, 0.0], [1, 0]), "above 0"),
        (([-0.1], [1]), "exp"),
        (([math.nan], [1]), "probabilities"),
        (([0.5], [2]), "true and false"),
        (([0.5], [1], 0), "n_bins=0"),
        (([0.5], [1], 1.5), "n_bins=1.5"),
        (([0.5], [1], True), "n_bins=True"),
        ((["x"], [1]), "confidence=.* must be numbers"),
    ],
)
def test_what_is_no_confidence_is_refused(given, says):
    with pytest.raises(ValueError, match=says):
        Calibration(*(np.array(each) if isinstance(each, list) else each for each in given))


def test_the_bins_may_be_counted_by_a_number_of_numpy():
    report = Calibration(CONFIDENCE, RIGHT, np.int64(7))
    assert report.error == Calibration(CONFIDENCE, RIGHT, 7).error and type(report.n_bins) is int


def test_a_coverage_or_an_accuracy_that_is_no_share_is_refused():
    report = Calibration(CONFIDENCE, RIGHT)
    with pytest.raises(ValueError, match=r"coverage=0\.0 "):
        report.risk_at(0)
    with pytest.raises(ValueError, match=r"accuracy=1\.5"):
        report.threshold_for(1.5)
    with pytest.raises(ValueError, match=r"coverage=80\.0 .*; did you mean 0\.8\?"):
        report.risk_at(80)
    with pytest.raises(ValueError, match=r"accuracy=95\.0 .*; did you mean 0\.95\?"):
        report.threshold_for(95)
