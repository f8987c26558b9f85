"""Lesson 13's networks hide what comes later, and their laws add up to 1."""

import numpy as np
import pytest

from tools.networks import find_networks, load_network

# NumPy 2 to JAX, through Keras
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")
[PATH] = [path for path in find_networks() if path.name[:2] == "13"]
DIGITS = np.array([3, 8])


@pytest.fixture(scope="module")
def lesson():
    return load_network(PATH)


@pytest.fixture(scope="module", params=[False, True], ids=["two", "grey"])
def model(request, lesson):
    """A network with random weights."""
    lesson["keras"].utils.set_random_seed(0)
    model = lesson["make_model"](grey=request.param)
    model((pictures(model), lesson["ONE_HOT"][DIGITS]))
    return model


def pictures(model):
    """Two pages of random values."""
    rng = np.random.default_rng(0)
    return rng.integers(model.top + 1, size=(2, 784)).astype("float32")


@pytest.mark.parametrize("own", [False, True])
def test_a_masked_layer_hides_what_comes_later(lesson, own):
    layer = lesson["Masked"](2, 3, own)
    x = np.random.default_rng(0).normal(size=(1, 2 * 56)).astype("float32")
    before = np.array(layer(x))
    for j in (0, 1, 30, 55):
        changed = x.copy()
        changed[:, 2 * j : 2 * j + 2] += 1
        moved = (np.array(layer(changed)) != before).reshape(56, 3)
        first = j if own else j + 1
        assert not moved[:first].any()
        assert moved[first:].all()


@pytest.mark.slow
def test_one_pass_says_what_the_steps_say(lesson, model):
    """The steps cannot look ahead: they are handed one pixel at a time."""
    x, said = pictures(model), []

    def choose(i, p):
        value = x[:, i].astype(int)
        chances = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
        said.append(chances[[0, 1], value])
        return value

    again = lesson["walk"](model, DIGITS, choose)
    np.testing.assert_array_equal(again, x)
    at_once = model((x, lesson["ONE_HOT"][DIGITS]))
    by_steps = -np.log(said).sum(axis=0)
    np.testing.assert_allclose(by_steps, np.array(at_once), rtol=1e-4)


@pytest.mark.slow
def test_the_law_of_a_pixel_adds_up_to_one(model):
    rng = np.random.default_rng(1)
    a = rng.normal(size=(3, model.n_out)).astype("float32")
    p = np.array(model.law(a), float)
    if p.ndim == 1:
        p = np.stack([1 - p, p], axis=1)
    assert p.shape == (3, model.top + 1)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    levels = np.arange(model.top + 1, dtype="float32")
    each = model.log_law(a[:1].repeat(len(levels), axis=0), levels)
    np.testing.assert_allclose(np.exp(np.array(each)), p[0], atol=1e-6)


@pytest.mark.slow
def test_the_same_seed_draws_the_same(lesson, model):
    one, two = (
        lesson["sample"](model, DIGITS, np.random.default_rng(5))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    assert one.shape == (2, 784) and one.min() >= 0 and one.max() <= 1
    other = lesson["sample"](model, DIGITS, np.random.default_rng(6))
    assert (other != one).any()
