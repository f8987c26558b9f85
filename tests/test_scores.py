"""Each measure has a floor and a ceiling, and ranks as the eye does."""

import os
import time
from dataclasses import asdict

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from scipy.stats import bootstrap

from utils.data import load_mnist, preprocess, to_images
from utils.gaussian import Gaussian
from utils.scores import (
    board,
    class_consistency,
    columns,
    frechet_distance,
    make_reference,
    neighbour_scores,
    protocol,
    read_digits,
    sample_classes,
    score_model,
    stratified_choice,
)
from utils.scores.board import unpack
from utils.scores.columns import COLUMNS, Column, Drawn, nearest_ratio
from utils.scores.judge import Reading
from utils.scores.protocol import LABELS, machine
from utils.statistics import class_statistics

BY_EYE = [  # from the best to the worst
    "real",
    "memoriser",
    "noisy",
    "blurred",
    "class Gaussians",
    "class means",
    "noise",
]


@pytest.fixture(scope="module")
def digits():
    """Images and labels, of training and of test digits."""
    (x, y), (x_test, y_test) = load_mnist()
    return x, y, x_test, y_test


@pytest.fixture(scope="module")
def reference(digits):
    x, _, x_test, y_test = digits
    return make_reference(x, x_test, y_test)


def make_sets(digits, reference):
    """Pictures of each kind in BY_EYE, 250 a class."""
    x, y, x_test, y_test = digits
    rng = np.random.default_rng(0)
    rest = reference.rest
    real = preprocess(x_test[rest[stratified_choice(y_test[rest], rng)]])
    train = preprocess(x[stratified_choice(y, rng)])
    blurred = gaussian_filter(real.reshape(-1, 28, 28), (0, 0.6, 0.6))
    stats = class_statistics(x, y)
    gaussians = [
        Gaussian.from_moments(
            stats.mean[d] / 255, stats.cov(d) / 255**2, ridge=1e-5
        )
        for d in range(10)
    ]
    drawn = np.concatenate([g.sample(250, rng) for g in gaussians])
    sets = [
        real,
        train + 0.02 * rng.standard_normal(train.shape),
        real + 0.1 * rng.standard_normal(real.shape),
        blurred.reshape(-1, 784),
        drawn,
        np.repeat(stats.mean / 255, 250, axis=0),
        rng.random(real.shape),
    ]
    clipped = [np.clip(x, 0, 1).astype(np.float32) for x in sets]
    return dict(zip(BY_EYE, clipped, strict=True))


@pytest.fixture(scope="module")
def table(digits, reference):
    """A dict of scores for each kind of pictures."""
    rows = {}
    for name, x in make_sets(digits, reference).items():
        reading = read_digits(x)
        near = neighbour_scores(reference.maps, reading.maps)
        rows[name] = near._asdict() | {
            "frechet": frechet_distance(reference.features, reading.features),
            "consistency": class_consistency(reading.probs, LABELS),
        }
        if name in ("real", "memoriser", "noise"):
            ratio, _ = nearest_ratio(Drawn(x, LABELS, True, reference))
            rows[name]["nearest"] = ratio
    return rows


# Floor and ceiling


@pytest.mark.slow
def test_the_frechet_distance_ranks_as_the_eye_does(table):
    assert sorted(table, key=lambda name: table[name]["frechet"]) == BY_EYE
    values = [table[name]["frechet"] for name in BY_EYE]
    # far enough apart for any seed
    assert all(b > 1.3 * a for a, b in zip(values, values[1:], strict=False))


SHARES = ["precision", "recall", "density", "coverage", "consistency"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "measure", "least", "most"),
    [
        ("real", "frechet", 0, 0.03),
        ("real", "precision", 0.88, 0.98),
        ("real", "recall", 0.88, 0.98),
        ("real", "density", 0.9, 1.1),
        ("real", "coverage", 0.93, 1),
        ("real", "consistency", 0.98, 1),
        ("real", "nearest", 0.95, 1.08),
        ("noise", "frechet", 50, np.inf),
        ("noise", "consistency", 0.05, 0.2),  # chance
        ("noise", "nearest", 2, np.inf),
        *[("noise", share, 0, 0.005) for share in SHARES[:4]],
        # a memoriser passes but for one measure
        ("memoriser", "frechet", 0, 0.06),
        ("memoriser", "precision", 0.88, 1),
        ("memoriser", "recall", 0.88, 1),
        ("memoriser", "density", 0.85, 1.1),
        ("memoriser", "coverage", 0.9, 1),
        ("memoriser", "consistency", 0.98, 1),
        ("memoriser", "nearest", 0, 0.2),
        # one picture a class: each is read, and all the variety is gone
        ("class means", "consistency", 0.88, 1),
        ("class means", "recall", 0, 0.01),
        ("class means", "coverage", 0, 0.05),
        ("class means", "frechet", 5, 25),
        # what a change that the eye forgives costs
        ("noisy", "consistency", 0.95, 1),
        ("noisy", "precision", 0.8, 0.95),
        ("noisy", "recall", 0.4, 0.75),
        ("blurred", "consistency", 0.95, 1),
        ("blurred", "precision", 0.8, 0.95),
        ("blurred", "recall", 0.01, 0.2),
        # and smudged digits
        ("class Gaussians", "consistency", 0.8, 0.95),
        ("class Gaussians", "precision", 0.3, 0.65),
        ("class Gaussians", "recall", 0.02, 0.2),
        ("class Gaussians", "coverage", 0.05, 0.25),
    ],
)
def test_a_measure_keeps_between_floor_and_ceiling(
    table, name, measure, least, most
):
    assert least <= table[name][measure] <= most


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["recall", "coverage"])
def test_real_digits_reach_the_most_variety(table, measure):
    most = max(table, key=lambda name: table[name][measure])
    assert most in ("real", "memoriser")
    least = min(table, key=lambda name: table[name][measure])
    assert least in ("noise", "class means")


# The reference


def test_the_reference_is_250_test_digits_a_class(digits, reference):
    x, _, x_test, y_test = digits
    assert reference.x_train is x
    chosen = np.setdiff1d(np.arange(10_000), reference.rest)
    assert len(chosen) == 2500 and (np.diff(reference.rest) > 0).all()
    assert (np.bincount(y_test[chosen]) == 250).all()
    reading = read_digits(preprocess(x_test[chosen]))
    for name in ("features", "maps"):
        got, wanted = getattr(reference, name), getattr(reading, name)
        assert got.dtype == np.float32
        np.testing.assert_allclose(
            np.sort(got, axis=0), np.sort(wanted, axis=0), atol=1e-4
        )
    assert np.diff(chosen).max() > 10  # from all over the test set


@pytest.fixture
def toy(monkeypatch):
    """A reference of pictures of noise, with pixels for the judge's maps."""
    for module in (protocol, columns):
        monkeypatch.setattr(
            module,
            "read_digits",
            lambda x: Reading(x[:, :10], x[:, 5:9], x[:, 9:14]),
        )
    rng = np.random.default_rng(0)
    x_test = rng.integers(256, size=(2700, 28, 28), dtype=np.uint8)
    y_test = rng.permutation(np.arange(2700) % 10)
    x_train = rng.integers(256, size=(60, 28, 28), dtype=np.uint8)
    monkeypatch.setattr(columns, "BLOCK", 25)  # two blocks, and a rest
    return make_reference(x_train, x_test, y_test), x_test, y_test


def test_the_reference_keeps_the_order_of_the_labels(toy):
    reference, images, y_test = toy
    x_test, x_train = preprocess(images), preprocess(reference.x_train)
    found = [
        np.flatnonzero((x_test[:, 9:14] == row).all(axis=1)).item()
        for row in reference.maps
    ]
    np.testing.assert_array_equal(y_test[found], LABELS)
    fixed = stratified_choice(y_test, np.random.default_rng(0))  # for good
    np.testing.assert_array_equal(found, fixed)
    np.testing.assert_array_equal(LABELS, np.arange(2500) // 250)
    assert sorted([*found, *reference.rest]) == list(range(2700))
    assert (np.diff(reference.rest) > 0).all()
    np.testing.assert_array_equal(reference.features, x_test[found, 5:9])
    first = (np.arange(2500) % 250) < 100  # 1,000 of them
    some = x_test[found][first].astype(float)
    wanted = np.median(cdist(some, x_train).min(axis=1))
    np.testing.assert_allclose(reference.nearest, wanted, rtol=1e-6)


def test_the_reference_is_the_same_each_time(toy):
    reference, x_test, y_test = toy
    again = make_reference(reference.x_train, x_test, y_test)
    for one, two in zip(reference, again, strict=True):
        np.testing.assert_array_equal(one, two)


X, Y = np.zeros((2500, 28, 28), np.uint8), LABELS.copy()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((X[:, :1], X, Y), r"x_train .* got \(2500, 1, 28\)"),
        ((X, X[:, :1], Y), r"x_test .* got \(2500, 1, 28\)"),
        ((X, X / 255, Y), "x_test has a dtype of no use here: float64"),
        ((X, X, Y[1:]), "y_test has 2499 labels for 2500"),
        ((X, X, Y + 1), r"y_test .* got 1 \.\.\. 10"),
        ((X, X, Y / 1), "y_test .* float64"),
        ((X, X[1:], Y[1:]), r"y needs 250 .* has \[249 250"),
        ((X, X, np.where(Y == 9, 8, Y)), r"y needs 250 .* 500   0\]"),
    ],
)
def test_bad_input_of_make_reference_is_named(args, message):
    with pytest.raises(ValueError, match=message):
        make_reference(*args)


def test_a_stratified_choice_takes_250_of_each_digit_at_random():
    y = np.random.default_rng(1).permutation(np.arange(2700) % 10)
    found = stratified_choice(y, np.random.default_rng(0))
    np.testing.assert_array_equal(y[found], LABELS)
    assert len(set(found)) == 2500
    again = stratified_choice(y, np.random.default_rng(0))
    np.testing.assert_array_equal(found, again)
    other = stratified_choice(y, np.random.default_rng(2))
    assert set(other) != set(found)
    with pytest.raises(ValueError, match="rng must be a numpy.random"):
        stratified_choice(y, 0)


# A row of the scoreboard


def draw_wide(labels, rng):
    """Pixels beyond 0 and 1 too, with a shade for each class."""
    return 2 * rng.random((2500, 784)) - 0.5 + labels[:, None] / 30


def draw_clipped(labels, rng):
    return np.clip(draw_wide(labels, rng), 0, 1)


def without_clock(row):
    scores = {k: v for k, v in row.scores.items() if k != "sample_s"}
    return asdict(row) | {"scores": scores}


@pytest.mark.slow
def test_a_row_holds_mean_and_deviation_of_three_seeds(toy):
    reference, *_ = toy
    row = score_model("m", 7, draw_wide, reference, parameters=5, bits=1.5)
    assert (row.model, row.lesson) == ("m", 7)
    told = [row.scores[name] for name in ("parameters", "bits", "nats")]
    assert told == [5, 1.5, None]
    draws = [
        draw_clipped(LABELS, np.random.default_rng(seed)).astype(np.float32)
        for seed in (0, 1, 2)
    ]
    near = [neighbour_scores(reference.maps, x[:, 9:14], 5) for x in draws]
    for got, values in [
        (
            row.scores["frechet"],
            [frechet_distance(reference.features, x[:, 5:9]) for x in draws],
        ),
        (row.scores["precision"], [scores.precision for scores in near]),
        (row.scores["recall"], [scores.recall for scores in near]),
        (
            row.scores["consistency"],
            [(x[:, :10].argmax(axis=1) == LABELS).mean() for x in draws],
        ),
    ]:
        assert type(got) is tuple and got[1] > 0
        np.testing.assert_allclose(
            got, [np.mean(values), np.std(values, ddof=1)], rtol=1e-9
        )
    wanted = to_images(draws[0][::250]).reshape(10, 784) / 255
    np.testing.assert_array_equal(unpack(row.samples), wanted)


def test_the_nearest_ratio_and_its_error(toy):
    reference, *_ = toy
    row = score_model("m", 7, draw_wide, reference)
    x = draw_clipped(LABELS, np.random.default_rng(0))
    x = x[(np.arange(2500) % 250) < 100].astype(np.float32)
    ratios = (
        cdist(x, preprocess(reference.x_train)).min(axis=1) / reference.nearest
    )
    np.testing.assert_allclose(
        row.scores["nearest"][0], np.median(ratios), rtol=1e-6
    )
    found = bootstrap(
        (ratios,),
        np.median,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    np.testing.assert_allclose(
        row.scores["nearest"][1], found.standard_error, rtol=0.25
    )


@pytest.mark.slow
def test_same_seeds_same_row_and_what_lies_outside_is_clipped(toy):
    reference, *_ = toy
    row, again, other = (
        score_model("m", 7, draw, reference, conditional=conditional)
        for draw, conditional in [
            (draw_wide, True),
            (draw_wide, True),
            (draw_clipped, False),
        ]
    )
    assert without_clock(row) == without_clock(again)
    got, wanted = without_clock(other), without_clock(row)
    assert got["scores"].pop("consistency") is None
    assert wanted["scores"].pop("consistency") is not None
    assert got == wanted


@pytest.mark.slow
def test_seconds_are_those_of_a_thousand_samples(toy):
    def draw(labels, rng):
        time.sleep(0.1)
        return DRAWN

    reference, *_ = toy
    row = score_model("m", 7, draw, reference)
    assert 0.04 <= row.scores["sample_s"] < 0.1  # 3 x 0.1 s for 7,500
    assert row.machine == machine()
    name, cores = machine().rsplit(", ", 1)
    assert name.strip() and cores == f"{os.cpu_count()} cores"


DRAWN = np.zeros((2500, 784))


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (
            DRAWN[1:],
            r"draw\(labels, rng\) must .* \(2500, 784\), got \(2499, 784\)",
        ),
        (DRAWN[:, 1:], r"draw\(labels, rng\) must .* got \(2500, 783\)"),
        (
            DRAWN.reshape(-1, 28, 28),
            r"draw\(labels, rng\) .* got \(2500, 28, 28\)",
        ),
        (DRAWN[:0], r"draw\(labels, rng\) must .* got \(0, 784\)"),
        (None, r"draw\(labels, rng\) must .* got \(\)"),
        (np.full_like(DRAWN, np.nan), r"draw\(labels, rng\) holds .* NaN"),
        (np.full_like(DRAWN, -np.inf), r"draw\(labels, rng\) .* infinite"),
        (DRAWN > 0, r"draw\(labels, rng\) .* bool"),
    ],
)
def test_a_bad_draw_is_named(toy, drawn, message):
    with pytest.raises(ValueError, match=message):
        score_model("m", 7, lambda labels, rng: drawn, toy[0])


def test_a_bad_draw_of_one_seed_is_named(toy):
    def draw(labels, rng):
        x = rng.random((2500, 784))
        if rng.bit_generator.state != state:
            x[3, 5] = np.nan
        return x

    rng = np.random.default_rng(0)
    rng.random((2500, 784))
    state = rng.bit_generator.state
    with pytest.raises(
        ValueError, match=r"draw\(labels, rng\) holds 1 .* NaN"
    ):
        score_model("m", 7, draw, toy[0])


def test_a_score_that_nobody_knows_is_refused(toy):
    for name in ("colour", "frechet", "model"):
        with pytest.raises((ValueError, TypeError), match=name):
            score_model("m", 7, draw_wide, toy[0], **{name: 1})


@pytest.mark.slow
def test_a_new_score_is_computed_from_its_entry_alone(toy, monkeypatch):
    """See test_scoreboard for how it is shown."""
    new = Column(
        name="ink", head="ink", form=".3f", each=lambda drawn: drawn.x.mean()
    )
    for module in (board, protocol):
        monkeypatch.setattr(module, "COLUMNS", [*COLUMNS, new])
    row = score_model("m", 7, draw_wide, toy[0])
    mean, std = row.scores["ink"]
    assert 0.4 < mean < 0.8 and 0 < std < 0.01
    assert row.texts()[-1] == f"{mean:.3f} ± {std:.3f}"


class Constant:
    def __init__(self, value):
        self.value = value

    def sample(self, n, rng, scale=1):
        return scale * self.value + 0.1 * rng.random((n, 3))


def test_classes_are_drawn_in_their_places():
    models = [Constant(c) for c in range(5)]
    labels = np.array([3, 1, 3, 0, 4])
    x = sample_classes(models, labels, np.random.default_rng(0), scale=2)
    np.testing.assert_array_equal(np.floor(x), 2 * labels[:, None] + [0] * 3)
    rng = np.random.default_rng(0)
    in_turn = [models[c].sample(n, rng, scale=2) for c, n in [(0, 1), (1, 1)]]
    np.testing.assert_array_equal(x[[3, 1]], np.concatenate(in_turn))


@pytest.mark.parametrize("labels", [[5], [-1], [0.5], []])
def test_labels_of_no_class_are_named(labels):
    models = [Constant(c) for c in range(5)]
    with pytest.raises(ValueError, match="labels "):
        sample_classes(models, np.array(labels), np.random.default_rng(0))
