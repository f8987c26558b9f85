"""Lesson 15: densities along a walk, levels by Bayes' rule, one step."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from tools.networks import find_networks, load_network

# NumPy 2 to JAX, through Keras
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")
[PATH] = [path for path in find_networks() if path.name[:2] == "15"]


@pytest.fixture(scope="module")
def lesson():
    return load_network(PATH)


def wiener(cov):
    """The best guess of a normal vector, and its density at time t."""
    eye = np.eye(len(cov))

    def noised(t):
        return t**2 * cov + (1 - t) ** 2 * eye

    def guess(x_t, t):
        return x_t @ np.linalg.solve(noised(t), t * cov)

    return guess, lambda x, t: multivariate_normal(cov=noised(t)).logpdf(x)


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("end", [0.5, 0.95])
def test_log_density_of_a_normal_is_its_own(lesson, d, end):
    rng = np.random.default_rng(d)
    root = rng.normal(size=(d, d))
    guess, log_prob = wiener(root @ root.T)
    x, axes = rng.normal(size=(5, d)), np.eye(d)
    found = lesson["log_density"](guess, x, end, lambda: axes, steps=400)
    np.testing.assert_allclose(found, log_prob(x, end), atol=1e-3)


def test_what_is_carried_there_comes_back(lesson):
    guess, _ = wiener(np.array([[2.0, 0.5], [0.5, 0.3]]))
    x = np.random.default_rng(0).normal(size=(4, 2))
    there, _ = lesson["carry"](guess, x, 0, 0.9, steps=200)
    back, _ = lesson["carry"](guess, there, 0.9, 0, steps=200)
    assert np.abs(there - x).max() > 0.1
    np.testing.assert_allclose(back, x, atol=1e-3)


def test_random_signs_give_the_trace_on_average(lesson):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(784, 784)) / 28
    x = np.zeros((200, 784))
    tossed = lesson["trace"](
        lambda x, t: x @ matrix.T, x, 0.5, lesson["signs"](200, rng)()
    )
    error = tossed.std() / np.sqrt(200)
    assert abs(tossed.mean() - np.trace(matrix)) < 4 * error


@pytest.fixture(scope="module")
def table(lesson):
    rng = np.random.default_rng(0)
    images = rng.choice([0, 7, 255], (50, 28, 28)).astype(np.uint8)
    return lesson["count_levels"](images)


def test_levels_have_the_probabilities_of_bayes_rule(lesson, table):
    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-5)
    rng, end, nats = np.random.default_rng(1), lesson["END"], 0.0
    levels = rng.choice([0, 7, 255], (1, 784))
    x_t, _ = lesson["noised"](levels, rng)
    for j in range(784):
        odds = lesson["odds"](table, x_t, j)[0]
        bells = norm.pdf(
            x_t[0, j], end * (np.arange(256) / 127.5 - 1), 1 - end
        )
        wanted = table[j] * bells / (table[j] @ bells)
        np.testing.assert_allclose(odds / odds.sum(), wanted, atol=1e-4)
        nats -= np.log(wanted[levels[0, j]])
    found = lesson["level_nats"](table, x_t, levels)
    np.testing.assert_allclose(found, [nats], rtol=1e-3)


def test_levels_are_drawn_as_often_as_their_odds_say(lesson, table):
    x_t = np.full((2_000, 784), 0.2)
    drawn = lesson["draw_levels"](table, x_t, np.random.default_rng(2))
    for j in (0, 400):
        odds = lesson["odds"](table, x_t[:1], j)[0]
        found = np.bincount((255 * drawn[:, j]).round().astype(int), None, 256)
        error = np.abs(found / 2_000 - odds / odds.sum()).max()
        assert error < 0.05


@pytest.mark.slow
def test_the_teacher_keeps_its_weights_and_the_others_learn(lesson):
    lesson["keras"].utils.set_random_seed(0)
    model = lesson["make_model"]()
    before = [
        [np.array(w) for w in part.get_weights()]
        for part in (model.teacher, model.rival, model.network)
    ]
    for part in before[1:]:  # all begin as the teacher
        for w, other in zip(before[0], part, strict=True):
            np.testing.assert_array_equal(w, other)
    lesson["train"](model, None, np.arange(240) % 10)
    parts = model.teacher, model.rival, model.network
    moved = [
        any(
            not np.array_equal(w, other)
            for w, other in zip(old, part.get_weights(), strict=True)
        )
        for old, part in zip(before, parts, strict=True)
    ]
    assert moved == [False, True, True]
    a, b = (
        lesson["sample"](model, np.arange(10), np.random.default_rng(seed))
        for seed in (0, 1)
    )
    assert a.shape == (10, 784) and 0 <= a.min() and a.max() <= 1
    assert not np.array_equal(a, b)
