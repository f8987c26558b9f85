"""Lesson 14's walk keeps the law of what is noised; its network is asked
with and without the digit.
"""

import numpy as np
import pytest

from tools.networks import find_networks, load_network

[PATH] = [path for path in find_networks() if path.name[:2] == "14"]


@pytest.fixture(scope="module")
def lesson():
    return load_network(PATH)


@pytest.fixture(scope="module", params=[True, False], ids=["dense", "conv"])
def model(request, lesson):
    """A network with random weights, and axes of random pictures."""
    lesson["keras"].utils.set_random_seed(0)
    model = lesson["make_model"](dense=request.param)
    rng = np.random.default_rng(0)
    x = rng.random((20, 784), np.float32)
    model((x, lesson["ONE_HOT"][np.arange(20) % 10]))
    fitted = rng.normal(size=784), np.eye(784)[:, :256], np.ones(256)
    for weight, value in zip(model.network.fitted, fitted, strict=True):
        weight.assign(value)
    return model


def normal_guess(variance):
    """Of a normal number, given what is noised: lesson 3's conditional."""

    def guess(x_t, t):
        return t * variance / (t**2 * variance + (1 - t) ** 2) * x_t

    return guess


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("variance", [0.05, 2.0])
def test_a_walk_ends_with_the_variance_of_the_data(lesson, eta, variance):
    rng = np.random.default_rng(0)
    starts = rng.normal(size=20_000)
    ends = lesson["walk"](normal_guess(variance), starts, 2_000, eta, rng)
    # chance: one per cent; a random walk of 400 steps still lacks seven
    assert ends.var() == pytest.approx(variance, rel=0.04)
    assert ends.mean() == pytest.approx(0, abs=0.02)


def test_without_chance_a_step_follows_the_velocity(lesson):
    guess, path = normal_guess(0.5), []
    end = lesson["walk"](guess, np.array([1.3]), 5, path=path)
    assert len(path) == 5 and path[0][0] == 0
    path.append((1.0, end))
    for (t, x_t), (after, moved) in zip(path, path[1:], strict=False):
        v = (guess(x_t, t) - x_t) / (1 - t)
        np.testing.assert_allclose(moved, x_t + (after - t) * v)


def test_a_walk_may_start_on_its_way(lesson):
    path = []
    lesson["walk"](normal_guess(1.0), np.ones(3), 7, start=0.4, path=path)
    times = [t for t, _ in path]
    assert times[0] == pytest.approx(0.4)
    assert all(
        t < after < 1 for t, after in zip(times, times[1:], strict=False)
    )


def test_the_axes_hold_the_conditional_mean(lesson):
    rng = np.random.default_rng(0)
    x = rng.random((300, 784)) * np.linspace(0, 1, 784)
    fitted = mean, axes, variance = lesson["fit_axes"](x)
    t, x_t = 0.3, rng.normal(size=784)
    cov = np.cov(2 * x - 1, rowvar=False)
    noised = t**2 * cov + (1 - t) ** 2 * np.eye(784)
    wanted = t * cov @ np.linalg.solve(noised, x_t - t * mean)
    found = lesson["along_axes"](fitted, x_t, t) * np.sqrt(variance)
    np.testing.assert_allclose(found, axes.T @ wanted, atol=1e-3)


@pytest.mark.slow
def test_guidance_goes_from_the_guess_without_a_digit_to_beyond(lesson, model):
    rng = np.random.default_rng(1)
    x_t, c = rng.normal(size=(4, 784)), lesson["ONE_HOT"][[0, 3, 5, 9]]
    told, untold, half, more = (
        guess(x_t, 0.3)
        for guess in (
            lesson["guesser"](model, c),
            lesson["guesser"](model, 0 * c),
            lesson["guesser"](model, c, 0.5),
            lesson["guesser"](model, c, 2.0),
        )
    )
    assert not np.allclose(told, untold, atol=1e-4)
    np.testing.assert_allclose(half, (told + untold) / 2, atol=1e-5)
    wanted = np.clip(2 * told - untold, -1, 1)
    np.testing.assert_allclose(more, wanted, atol=1e-5)


@pytest.mark.slow
def test_each_digit_has_a_cost_and_each_call_new_noise(lesson, model):
    x = (np.random.default_rng(2).random((60, 784)) < 0.2).astype("float32")
    both = x, lesson["ONE_HOT"][np.arange(60) % 10]
    costs = [np.asarray(model(both)) for _ in range(2)]
    assert costs[0].shape == (60, 1)
    assert (costs[0] > 0).all() and not np.allclose(*costs)
