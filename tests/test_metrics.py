import numpy as np
import pytest

from affetto.recognizers.metrics import (
    accuracy,
    bootstrap,
    calibration_error,
    ccc,
    confusion,
    pearson,
    uar,
)

LABELS = np.array([0, 0, 0, 1, 1, 2])


def test_perfect_answers():
    assert accuracy(LABELS, LABELS) == uar(LABELS, LABELS) == 1.0
    assert ccc([0.0, 1, 2], [0.0, 1, 2]) == pearson([0.0, 1, 2], [0.0, 1, 2]) == pytest.approx(1)
    assert calibration_error(LABELS, np.eye(3)[LABELS]) == 0.0


def test_constant_answers():
    assert uar(LABELS, np.zeros(6)) == pytest.approx(1 / 3)
    assert accuracy(LABELS, np.zeros(6)) == 0.5
    assert ccc([0.0, 1, 2], [1.0, 1, 1]) == pearson([0.0, 1, 2], [1.0, 1, 1]) == 0.0


def test_concordance_punishes_offset_and_scale_where_correlation_does_not():
    wanted = np.linspace(-1, 1, 50)
    assert pearson(wanted, wanted * 0.5 + 0.2) == pytest.approx(1.0)
    assert ccc(wanted, wanted * 0.5) < 0.85
    assert ccc(wanted, wanted + 0.3) < 0.95


def test_calibration_error_is_the_gap_between_said_and_right():
    probs = np.tile([0.9, 0.1], (10, 1))
    assert calibration_error([0] * 9 + [1], probs) == pytest.approx(0.0)
    assert calibration_error([0] * 5 + [1] * 5, probs) == pytest.approx(0.4)


def test_confusion_rows_are_wanted():
    table = confusion([0, 0, 1], [1, 0, 1], 3)
    np.testing.assert_array_equal(table, [[1, 1, 0], [0, 1, 0], [0, 0, 0]])


def test_bootstrap_draws_whole_groups():
    wanted, got = np.repeat([0, 1], 20), np.repeat([0, 0], 20)
    groups = np.repeat(np.arange(8), 5)
    low, high = bootstrap(accuracy, wanted, got, groups=groups, rounds=200)
    assert low <= 0.5 <= high
    assert (low, high) == bootstrap(accuracy, wanted, got, groups=groups, rounds=200)
    one = bootstrap(accuracy, wanted, got, groups=np.zeros(40), rounds=20)
    assert one == (0.5, 0.5)


@pytest.mark.parametrize("measure", [accuracy, uar, ccc, pearson])
def test_bad_input(measure):
    for wanted, got in (([], []), ([0, 1], [0]), ([[0]], [[0]]), ([0, np.nan], [0, 1])):
        with pytest.raises(ValueError, match=r"\(M,\)|finite"):
            measure(wanted, got)
