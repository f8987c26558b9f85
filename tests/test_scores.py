"""Each measure has a floor and a ceiling, and ranks as the eye does."""

import os
import time
from dataclasses import asdict

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from utils.data import load_mnist, preprocess, to_images
from utils.gaussian import Gaussian
from utils.scores import (
    board,
    columns,
    disjoint_choices,
    frechet_distance,
    judge,
    make_reference,
    metrics,
    neighbour_scores,
    protocol,
    read_shapes,
    sample_classes,
    score_model,
    stratified_choice,
)
from utils.scores.board import unpack
from utils.scores.columns import COLUMNS, Column, Drawn, Reference
from utils.scores.judge import judge_split
from utils.scores.protocol import LABELS, machine
from utils.scores.shapes import Shapes
from utils.statistics import class_statistics

FORGIVEN = ["real", "memoriser", "noisy", "blurred"]  # as good, cut
BY_EYE = [*FORGIVEN, "class Gaussians", "class means", "noise"]


@pytest.fixture(scope="module")
def digits():
    """Images and labels, of training and of test digits."""
    (x, y), (x_test, y_test) = load_mnist()
    return x, y, x_test, y_test


@pytest.fixture(scope="module")
def reference(digits):
    return make_reference(*digits)


def make_sets(digits, reference):
    """Pictures of each kind in BY_EYE, 250 a class."""
    x, y, *_ = digits
    rng = np.random.default_rng(1)
    held, known = reference.held_out, np.flatnonzero(reference.half)
    real = preprocess(x[held[stratified_choice(y[held], rng)]])
    train = preprocess(x[known[stratified_choice(y[known], rng)]])
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
        drawn = Drawn(x, LABELS, True, reference)
        rows[name] = {c.name: c.each(drawn) for c in COLUMNS if c.each}
    return rows


# Floor and ceiling


@pytest.mark.slow
def test_shapes_rank_as_the_eye_does(table):
    values = [table[name]["shapes"] for name in BY_EYE]
    assert max(values[:4]) < 1.15
    # far enough apart for any seed
    steps = zip(values[3:], values[4:], strict=False)
    assert all(b > 1.5 * a for a, b in steps)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "measure", "least", "most"),
    [
        ("real", "shapes", 0.9, 1.1),
        ("real", "precision", 0.83, 0.92),
        ("real", "recall", 0.85, 0.94),
        ("real", "tone", 0, 0.6),
        ("real", "consistency", 0.98, 1),
        ("noise", "shapes", 80, np.inf),
        ("noise", "precision", 0, 0.005),
        ("noise", "recall", 0, 0.005),
        ("noise", "tone", 30, 45),
        ("noise", "consistency", 0.05, 0.2),  # chance
        # a memoriser passes: only a fit to half of the digits tells
        ("memoriser", "shapes", 0.9, 1.15),
        ("memoriser", "precision", 0.82, 0.92),
        ("memoriser", "recall", 0.84, 0.94),
        ("memoriser", "tone", 0, 1.5),
        ("memoriser", "consistency", 0.98, 1),
        # one picture a class: each is read, and all the variety is gone
        ("class means", "consistency", 0.98, 1),
        ("class means", "precision", 0.5, 1),
        ("class means", "recall", 0, 0.01),
        ("class means", "shapes", 30, 65),
        # what the eye forgives costs tone, and nothing else
        ("noisy", "shapes", 0.9, 1.15),
        ("noisy", "precision", 0.82, 0.92),
        ("noisy", "recall", 0.84, 0.94),
        ("noisy", "consistency", 0.97, 1),
        ("noisy", "tone", 2.5, 5),
        ("blurred", "shapes", 0.9, 1.15),
        ("blurred", "precision", 0.82, 0.92),
        ("blurred", "recall", 0.84, 0.94),
        ("blurred", "consistency", 0.97, 1),
        ("blurred", "tone", 2, 4),
        # and smudged digits
        ("class Gaussians", "shapes", 5, 10),
        ("class Gaussians", "consistency", 0.85, 0.95),
        ("class Gaussians", "precision", 0.35, 0.55),
        ("class Gaussians", "recall", 0.45, 0.67),
        ("class Gaussians", "tone", 4, 8),
    ],
)
def test_a_measure_keeps_between_floor_and_ceiling(
    table, name, measure, least, most
):
    assert least <= table[name][measure] <= most


@pytest.mark.slow
def test_real_digits_reach_the_most_variety(table):
    ranked = sorted(table, key=lambda name: -table[name]["recall"])
    assert set(ranked[:4]) == set(FORGIVEN)
    assert ranked[4] == "class Gaussians"


# The reference


@pytest.mark.slow
def test_the_reference_is_three_disjoint_sets_of_test_digits(
    digits, reference
):
    x, y, x_test, y_test = digits
    assert reference.x_train is x
    sets = disjoint_choices(y_test, 3, np.random.default_rng(0))  # for good
    for rows, pixels, z in zip(sets, reference.x, reference.z, strict=True):
        assert pixels.dtype == z.dtype == np.float32
        np.testing.assert_array_equal(pixels, preprocess(x_test[rows]))
        np.testing.assert_allclose(z, read_shapes(pixels).z, atol=1e-4)
        assert np.ptp(rows) > 9000  # from all over the test set
    np.testing.assert_array_equal(reference.held_out, judge_split(y)[1])


@pytest.mark.slow
def test_the_unit_is_what_real_digits_score(reference, table):
    """Held-out training digits; other test digits are a little nearer."""
    assert 1.5 < reference.unit < 3
    a, b, c = reference.z
    for pair in [(a, b), (b, c), (c, a)]:
        assert 0.7 < frechet_distance(*pair) / reference.unit < 1


def test_half_of_the_training_digits_is_half_of_each_class(toy):
    reference, (x, y, *_) = toy
    half = reference.half
    assert half.dtype == bool and half.shape == y.shape
    assert half.sum() == len(x) // 2
    counts = [np.bincount(y[rows]) for rows in (half, ~half)]
    assert np.abs(np.subtract(*counts)).max() <= 1
    assert 1000 < np.count_nonzero(np.diff(half)) < 5000  # shuffled


def make_toy():
    """Pictures of noise, and their labels, for training and test."""
    rng = np.random.default_rng(0)
    sets = []
    for n in (6000, 7600):
        x = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
        sets += [x, rng.permutation(np.arange(n) % 10)]
    return sets


@pytest.fixture
def toy(monkeypatch):
    """Their reference, with pixels for what the judge would say."""
    for module in (protocol, columns):
        monkeypatch.setattr(
            module, "read_shapes", lambda x: Shapes(x[:, :10], x[:, 9:14])
        )
    monkeypatch.setattr(judge, "N_HELD_OUT", 3000)
    monkeypatch.setattr(metrics, "BLOCK", 800)  # three blocks, and a rest
    digits = make_toy()
    return make_reference(*digits), digits


def test_the_reference_keeps_the_order_of_the_labels(toy):
    reference, (x, y, images, y_test) = toy
    x_test = preprocess(images)
    first = {row.tobytes(): i for i, row in enumerate(x_test[:, 9:14])}
    found = [[first[row.tobytes()] for row in z] for z in reference.z]
    for rows, pixels in zip(found, reference.x, strict=True):
        np.testing.assert_array_equal(y_test[rows], LABELS)
        np.testing.assert_array_equal(pixels, x_test[rows])
    assert len({i for rows in found for i in rows}) == 7500
    np.testing.assert_array_equal(LABELS, np.arange(2500) // 250)
    held = reference.held_out
    others = held[stratified_choice(y[held], np.random.default_rng(0))]
    real = preprocess(x[others])[:, 9:14]
    distances = [frechet_distance(z, real) for z in reference.z]
    np.testing.assert_allclose(reference.unit, np.mean(distances), rtol=1e-9)


def test_the_reference_is_the_same_each_time(toy):
    reference, digits = toy
    for one, two in zip(reference, make_reference(*digits), strict=True):
        np.testing.assert_array_equal(one, two)


X, Y = np.zeros((7500, 28, 28), np.uint8), np.repeat(np.arange(10), 750)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((X[:, :1], Y, X, Y), r"x_train .* got \(7500, 1, 28\)"),
        ((X, Y, X[:, :1], Y), r"x_test .* got \(7500, 1, 28\)"),
        ((X, Y, X / 255, Y), "x_test has a dtype of no use here: float64"),
        ((X, Y[1:], X, Y), "y_train has 7499 labels for 7500"),
        ((X, Y, X, Y[1:]), "y_test has 7499 labels for 7500"),
        ((X, Y, X, Y + 1), r"y_test .* got 1 \.\.\. 10"),
        ((X, Y - 1, X, Y), r"y_train .* got -1 \.\.\. 8"),
        ((X, Y, X, Y / 1), "y_test .* float64"),
        ((X, Y, X[1:], Y[1:]), r"y needs 750 .* has \[749 750"),
        ((X, Y, X, np.where(Y == 9, 8, Y)), r"y needs 750 .* 1500    0\]"),
    ],
)
def test_bad_input_of_make_reference_is_named(args, message, monkeypatch):
    monkeypatch.setattr(judge, "N_HELD_OUT", 3000)
    with pytest.raises(ValueError, match=message):
        make_reference(*args)


def test_disjoint_choices_take_250_of_each_digit_at_random():
    y = np.random.default_rng(1).permutation(np.arange(8000) % 10)
    sets = disjoint_choices(y, 3, np.random.default_rng(0))
    assert len(sets) == 3
    for rows in sets:
        np.testing.assert_array_equal(y[rows], LABELS)
    assert len(set(np.concatenate(sets))) == 7500
    again = disjoint_choices(y, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(sets, again)
    one = stratified_choice(y, np.random.default_rng(0))
    np.testing.assert_array_equal(y[one], LABELS)
    other = stratified_choice(y, np.random.default_rng(2))
    assert set(other) != set(one)
    with pytest.raises(ValueError, match="rng must be a numpy.random"):
        stratified_choice(y, 0)
    with pytest.raises(ValueError, match="y needs 1000 of each digit"):
        disjoint_choices(y, 4, np.random.default_rng(0))


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
    """Each is held against a set of its own."""
    reference, _ = toy
    row = score_model("m", 7, draw_wide, reference, parameters=5, bits=1.5)
    assert (row.model, row.lesson) == ("m", 7)
    told = [row.scores[name] for name in ("parameters", "bits", "nats")]
    assert told == [5, 1.5, None]
    assert row.scores["copies"] is None  # there is no second fit
    draws = [
        draw_clipped(LABELS, np.random.default_rng(seed)).astype(np.float32)
        for seed in (0, 1, 2)
    ]
    turns = list(zip(reference.z, reference.x, draws, strict=True))
    near = [neighbour_scores(z, x[:, 9:14], 5) for z, _, x in turns]
    for name, values in {
        "shapes": [
            frechet_distance(z, x[:, 9:14]) / reference.unit
            for z, _, x in turns
        ],
        "precision": [scores.precision for scores in near],
        "recall": [scores.recall for scores in near],
        "tone": [
            100 * np.abs(np.sort(x.ravel()) - np.sort(real.ravel())).mean()
            for _, real, x in turns
        ],
        "consistency": [
            (x[:, :10].argmax(axis=1) == LABELS).mean() for x in draws
        ],
    }.items():
        got = row.scores[name]
        assert type(got) is tuple and got[1] > 0
        np.testing.assert_allclose(
            got, [np.mean(values), np.std(values, ddof=1)], rtol=1e-4
        )
    shown = (np.arange(2500) % 250) < 4  # four of each digit
    wanted = to_images(draws[0][shown]).reshape(40, 784) / 255
    np.testing.assert_array_equal(unpack(row.samples), wanted)


@pytest.mark.slow
def test_copies_are_those_of_a_second_fit(toy):
    """Of 100 draws a digit, against the half that it has seen."""
    reference, (x_train, *_) = toy
    known = preprocess(x_train[reference.half])

    def half(labels, rng):
        """One of three is a copy, but for some noise."""
        x = draw_wide(labels, rng)
        x[::3] = known[: len(x[::3])] + 0.01 * rng.standard_normal()
        return x

    row = score_model("m", 7, draw_wide, reference, half=half)
    x = np.clip(half(LABELS, np.random.default_rng(0)), 0, 1)
    x = x[(np.arange(2500) % 250) < 100]
    other = preprocess(x_train[~reference.half])
    nearer = cdist(x, known).min(axis=1) < cdist(x, other).min(axis=1)
    share, error = row.scores["copies"]
    assert share == nearer.mean() and 0.5 < share < 0.8
    np.testing.assert_allclose(error, np.sqrt(share * (1 - share) / 1000))


@pytest.mark.slow
def test_same_seeds_same_row_and_what_lies_outside_is_clipped(toy):
    reference, _ = toy
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

    reference, _ = toy
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


@pytest.mark.slow
def test_a_bad_draw_of_the_second_fit_is_named(toy):
    with pytest.raises(ValueError, match=r"half\(labels, rng\) .* 783\)"):
        score_model(
            "m", 7, draw_wide, toy[0], half=lambda labels, rng: DRAWN[:, 1:]
        )


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
    for name in ("colour", "frechet", "shapes", "sample_s", "model"):
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


X = np.array([[1.0, 2, 3]])


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


class Wrong:
    """A model that draws what it was told, whatever it is asked for."""

    def __init__(self, x):
        self.x = np.array(x)

    def sample(self, n, rng):
        return self.x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0, 2, 3]], r"\[1\].sample\(2, rng\) must .* got \(1, 3\)"),
        ([[1.0], [2]], r"models\[1\].* \(2, 3\), got \(2, 1\)"),
        ([[1.0, 2, 3], [4, 5, np.nan]], r"models\[1\].* holds 1 .* NaN"),
    ],
)
def test_a_model_that_draws_no_rows_is_named(x, message):
    models = [Constant(0), Wrong(x)]
    with pytest.raises(ValueError, match=message):
        sample_classes(models, [0, 1, 1], np.random.default_rng(0))


def test_a_single_row_is_not_repeated():
    with pytest.raises(ValueError, match=r"must .* \(2, any\), got \(1, 3\)"):
        sample_classes([Wrong(X)], [0, 0], np.random.default_rng(0))


def test_a_seed_is_no_generator():
    with pytest.raises(ValueError, match="rng must be .* got int"):
        sample_classes([Constant(0)], [0], 0)


def made_of(unit):
    sets = (np.zeros((9, 2)),) * 3
    return Reference(sets, sets, unit, X, X, X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": X}, r"x must .* \(any, 784\), got \(1, 3\)"),
        ({"labels": LABELS + 1}, r"labels must .* 0 \.\.\. 9"),
        ({"labels": LABELS[1:]}, "labels has 2499 labels for 2500 rows"),
        ({"reference": ()}, "reference must be .* got tuple"),
        ({"turn": -1}, "turn must .* got -1"),
        ({"turn": 3}, "turn must be below 3, got 3"),
        ({"reference": made_of(0.0)}, "reference.unit must .* got 0.0"),
        ({"reference": made_of(np.nan)}, "reference.unit must .* got nan"),
    ],
)
def test_a_draw_that_is_held_against_nothing_is_refused(change, message):
    given = dict(
        x=DRAWN, labels=LABELS, conditional=True, reference=made_of(1.0)
    )
    assert Drawn(**given).turn == 0
    with pytest.raises(ValueError, match=message):
        Drawn(**given | change)


@pytest.mark.parametrize("labels", [[5], [-1], [0.5], []])
def test_labels_of_no_class_are_named(labels):
    models = [Constant(c) for c in range(5)]
    with pytest.raises(ValueError, match="labels "):
        sample_classes(models, np.array(labels), np.random.default_rng(0))
