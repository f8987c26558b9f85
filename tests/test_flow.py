"""Lesson 12's flow as a whole: its inverse, its determinant, bad input.

The lesson itself checks one coupling layer of six numbers.
"""

import numpy as np
import pytest

from tools.networks import find_networks, load_network

C = np.eye(10, dtype="float32")[[3]]


@pytest.fixture(scope="module")
def lesson():
    (path,) = [p for p in find_networks() if p.name[:2] == "12"]
    return load_network(path)


def random_flow(lesson, n_top, d):
    """A flow with weights at random: an untrained one moves nothing."""
    flow = lesson["DigitFlow"](n_top, d)
    flow.to_z(np.zeros((1, d), "float32"), C)
    rng = np.random.default_rng(0)
    for w in flow.weights:
        w.assign(rng.normal(0, 0.08, w.shape))
    return flow


@pytest.mark.slow
@pytest.mark.parametrize(("n_top", "d"), [(2, 3), (5, 8)])
def test_a_flow_is_undone_and_knows_its_determinant(lesson, n_top, d):
    flow = random_flow(lesson, n_top, d)
    numbers = lesson["ops"].convert_to_numpy
    x = np.random.default_rng(1).normal(size=(1, d)).astype("float32")
    z, log_det = flow.to_z(x, C)
    assert np.abs(numbers(z) - x).max() > 0.1
    np.testing.assert_allclose(numbers(flow.to_x(z, C)), x, atol=1e-4)
    steps, c = 0.01 * np.eye(d, dtype="float32"), C.repeat(d, axis=0)
    ahead, behind = flow.to_z(x + steps, c)[0], flow.to_z(x - steps, c)[0]
    jacobian = (numbers(ahead) - numbers(behind)) / 0.02
    by_steps = np.linalg.slogdet(jacobian)[1]
    assert abs(by_steps) > 0.05
    assert abs(numbers(log_det)[0] - by_steps) < 0.01
    log_p = -(numbers(z) ** 2 + np.log(2 * np.pi)).sum() / 2 + by_steps
    assert abs(numbers(flow((x, C)))[0] - log_p) < 0.01


@pytest.mark.slow
def test_the_digit_has_a_say(lesson):
    flow, other = random_flow(lesson, 4, 6), np.roll(C, 1, axis=1)
    x = np.ones((1, 6), "float32")
    one, two = flow.to_z(x, C)[0], flow.to_z(x, other)[0]
    assert not np.allclose(one, two)


@pytest.mark.parametrize("n_top", [-3, 0, 1, 784, 1000])
def test_axes_that_leave_nothing_to_move_are_refused(lesson, n_top):
    with pytest.raises(ValueError, match=f"2 to 783, got {n_top}"):
        lesson["make_model"](n_top)


def test_one_number_cannot_be_halved(lesson):
    with pytest.raises(ValueError, match=r"n must be 2 or more.* got 1"):
        lesson["Flow"](1, 6, 8)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 255])
def test_pixels_that_are_none_are_refused(lesson, bad):
    x = np.full((5, 784), 0.5, "float32")
    x[2, 3] = bad
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\], got"):
        lesson["train"](lesson["make_model"](), x, np.arange(5))
