"""Shapes ask where the ink is, and never how grey it is."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.data import load_mnist, preprocess
from utils.scores import (
    copied_share,
    cut,
    make_reference,
    read_digits,
    read_shapes,
    sample_classes,
    score_model,
    shapes,
    stratified_choice,
)
from utils.scores.columns import COLUMNS, Drawn
from utils.scores.judge import JUDGE_FILE, judge_split
from utils.scores.protocol import LABELS
from utils.scores.shapes import AXES_FILE, INK, fit_axes, load_axes

few = settings(derandomize=True, deadline=None, max_examples=40, database=None)


@pytest.fixture(scope="module")
def digits():
    """Images and labels, of training and of test digits."""
    (x, y), (x_test, y_test) = load_mnist()
    return x, y, x_test, y_test


@pytest.fixture(scope="module")
def reference(digits):
    return make_reference(*digits)


# The cut

CURVES = {  # all rise strictly
    "square": np.square,
    "root": np.sqrt,
    "pale": lambda x: 0.4 + 0.1 * x,
    "glaring": lambda x: 100 * x - 50,
    "logit": lambda x: np.log(x + 0.01) - np.log(1.01 - x),
}


@st.composite
def pictures(draw):
    """Rows of few grey levels, so with many ties, or of many."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(1, 9)), draw(st.integers(1, 60))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))
    return rng.integers(levels + 1, size=(n, d)) / levels


@few
@given(pictures())
def test_no_rising_curve_changes_the_cut(x):
    wanted = cut(x)
    assert wanted.dtype == np.float32 and wanted.shape == x.shape
    assert set(np.unique(wanted)) <= {0, 1}
    for name, curve in CURVES.items():
        np.testing.assert_array_equal(cut(curve(x)), wanted, err_msg=name)


@few
@given(pictures(), st.integers(0, 2**32 - 1))
def test_the_cut_does_not_ask_for_the_order(x, seed):
    order = np.random.default_rng(seed).permutation(len(x))
    np.testing.assert_array_equal(cut(x[order]), cut(x)[order])


@few
@given(st.integers(1, 50), st.integers(4, 50), st.integers(0, 2**32 - 1))
def test_without_ties_the_share_of_ink_is_right_to_a_pixel(n, d, seed):
    x = np.random.default_rng(seed).permuted(np.arange(n * d)).reshape(n, d)
    found = cut(x)
    assert abs(found.sum() - INK * n * d) <= 1
    assert x[found == 1].min() > x[found == 0].max()


@few
@given(pictures())
def test_no_other_level_comes_nearer_to_the_share(x):
    errors = [abs((x >= level).mean() - INK) for level in np.unique(x)]
    errors.append(INK)  # all paper
    error = abs(cut(x).mean(dtype=float) - INK)
    np.testing.assert_allclose(error, min(errors), atol=1e-12)


def test_the_share_is_that_of_training_digits(digits):
    x, *_ = digits
    assert (x > 127.5).mean() == pytest.approx(INK, abs=5e-4)


def test_the_cut_is_of_the_set_and_not_of_each_picture():
    x = np.zeros((2, 100))
    x[0, :26] = 1
    np.testing.assert_array_equal(cut(x), x)


@pytest.mark.parametrize("function", [cut, read_shapes])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(784), r"x must .* got \(784,\)"),
        (np.zeros((2, 28, 28)), r"x must .* got \(2, 28, 28\)"),
        (np.zeros((0, 784)), "x is empty"),
        (np.full((2, 784), np.nan), "x holds 1568 .* NaN"),
        (np.full((2, 784), np.inf), "x holds 1568 .* infinite"),
        (None, "x must"),
    ],
)
def test_bad_input_is_named(function, x, message):
    with pytest.raises(ValueError, match=message):
        function(x)


def test_shapes_are_of_pictures_of_784_pixels():
    with pytest.raises(ValueError, match=r"x must .* got \(2, 783\)"):
        read_shapes(np.zeros((2, 783)))


# The axes


@pytest.mark.slow
def test_shapes_are_the_maps_of_cut_pictures_along_the_axes(digits):
    x = preprocess(digits[2][:100])
    found, reading = read_shapes(x), read_digits(cut(x))
    mean, axes = load_axes()
    assert mean.shape == (1152,) and axes.shape == (1152, 128)
    assert found.z.shape == (100, 128) and found.probs.shape == (100, 10)
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    wanted = (reading.maps.astype(float) - mean) @ axes.astype(float)
    np.testing.assert_allclose(found.z, wanted, atol=1e-4)
    np.testing.assert_allclose(found.probs, reading.probs, atol=1e-5)


@pytest.mark.slow
def test_the_stored_axes_are_those_of_the_stored_judge(digits):
    x, y, *_ = digits
    fit, _ = judge_split(y)
    maps = read_digits(cut(preprocess(x[fit[:5000]]))).maps
    mean, axes = fit_axes(maps)
    stored_mean, stored = load_axes()
    np.testing.assert_allclose(mean, stored_mean, atol=1e-3)
    # of a principal axis the sign is free
    axes = axes * np.sign((axes * stored).sum(axis=0))
    np.testing.assert_allclose(axes, stored, atol=1e-3)
    # the docstring's scale: along the first axes a variance of about 1
    variance = ((maps - mean) @ axes).var(axis=0)
    assert 0.9 < variance[0] <= 1.001
    assert (np.diff(variance) < 1e-3).all() and variance[-1] > 0.1


def test_axes_of_a_set_with_known_variances():
    rng = np.random.default_rng(0)
    scales = np.linspace(1, 3, 130) ** 2
    maps = 5 + scales * rng.standard_normal((4000, 130))
    mean, axes = fit_axes(maps)
    assert mean.dtype == axes.dtype == np.float32
    np.testing.assert_allclose(mean, maps.mean(axis=0), rtol=1e-5)
    largest = np.linalg.eigvalsh(np.cov(maps, rowvar=False))[:1:-1]
    ridge = 0.1 * largest.mean()
    found = ((maps - mean) @ axes).var(axis=0, ddof=1)
    np.testing.assert_allclose(found, largest / (largest + ridge), rtol=1e-3)


def flip(raw):
    return raw[:1000] + bytes([raw[1000] ^ 1]) + raw[1001:]


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda raw: raw[:-1],
        lambda raw: raw + b"\n",
        lambda raw: b"",
        lambda raw: JUDGE_FILE.read_bytes(),
    ],
    ids=["a bit", "cut off", "a byte more", "void", "another file"],
)
def test_damaged_axes_are_refused(damage, tmp_path, monkeypatch):
    path = tmp_path / "axes.npz"
    path.write_bytes(damage(AXES_FILE.read_bytes()))
    monkeypatch.setattr(shapes, "AXES_FILE", path)
    with pytest.raises(
        ValueError, match="not hold the judge's axes: expected sha256 3ff1"
    ) as error:
        load_axes.__wrapped__()
    assert str(error.value).startswith(str(path))
    assert f"git checkout -- {path}" in str(error.value)


def test_missing_axes_are_named(tmp_path, monkeypatch):
    path = tmp_path / "axes.npz"
    monkeypatch.setattr(shapes, "AXES_FILE", path)
    with pytest.raises(FileNotFoundError, match="is missing") as error:
        load_axes.__wrapped__()
    assert f"git checkout -- {path}" in str(error.value)


def test_the_axes_are_read_once():
    assert load_axes() is load_axes()


# Scores of degenerate sets, and of rows in another order


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["blank", "all ink", "one picture"])
def test_degenerate_sets_have_finite_scores(kind, digits, reference):
    one = preprocess(digits[0][:1])
    picture = {"blank": 0 * one, "all ink": one**0, "one picture": one}[kind]
    row = score_model(
        "m", 6, lambda labels, rng: np.tile(picture, (2500, 1)), reference
    )
    for column in COLUMNS:
        if column.each:
            mean, std = row.scores[column.name]
            assert np.isfinite([mean, std]).all() and std >= 0, column.name
            assert "nan" not in row.text(column)
    scores = row.scores
    assert scores["shapes"][0] > 30
    assert scores["recall"] == (0, 0)
    assert scores["consistency"][0] == pytest.approx(0.1)
    if kind != "one picture":
        assert scores["tone"][0] > 5 and scores["precision"][0] == 0


@pytest.mark.parametrize("grey", [0, 0.5, 1])
def test_a_set_of_one_grey_becomes_paper(grey):
    x = np.full((3, 784), grey)
    assert not cut(x).any()
    assert np.isfinite(read_shapes(x).z).all()


@pytest.mark.slow
def test_no_score_asks_for_the_order_of_rows(digits, reference):
    x, y, *_ = digits
    rng = np.random.default_rng(1)
    held = reference.held_out
    real = preprocess(x[held[stratified_choice(y[held], rng)]])
    order = rng.permutation(2500)
    one = Drawn(real, LABELS, True, reference)
    two = Drawn(real[order], LABELS[order], True, reference)
    for column in COLUMNS:
        if column.each:
            np.testing.assert_allclose(
                column.each(two),
                column.each(one),
                rtol=1e-4,
                atol=4.1e-4,  # one row of 2,500, where a float is on a rim
                err_msg=column.name,
            )


# Copies


class Rows:
    """A model that draws rows which it was given."""

    def __init__(self, x):
        self.x = x

    def sample(self, n, rng):
        return self.x[rng.choice(len(self.x), n, replace=False)]


@pytest.mark.slow
def test_copies_give_one_and_new_digits_a_half(digits, reference):
    """Of 100 a digit, held against both halves of the training digits."""
    x, y, x_test, y_test = digits
    (score,) = [column.half for column in COLUMNS if column.half]

    def share_of(images, labels):
        models = [Rows(preprocess(images[labels == c])) for c in range(10)]
        draw = partial(sample_classes, models, LABELS)
        rows = draw(np.random.default_rng(0))
        return score(Drawn(rows, LABELS, True, reference))

    half = reference.half
    assert share_of(x[half], y[half]) == (1, 0)
    share, error = share_of(x_test, y_test)
    assert error == pytest.approx(np.sqrt(0.25 / 1000), rel=0.05)
    assert abs(share - 0.5) < 4 * error


def test_halves_of_unequal_size_are_refused(digits):
    x, _, x_test, _ = digits
    with pytest.raises(ValueError, match="equally large, got 500 and 499"):
        copied_share(preprocess(x_test[:5]), x[:500], x[500:999])
