"""Bits per dimension, against exact values and a discrete model."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from utils.metrics import bits_per_dim

few = settings(derandomize=True, deadline=None, max_examples=40, database=None)


@pytest.mark.parametrize("n_levels", [2, 16, 256])
def test_a_uniform_density_scores_the_bits_of_a_level(n_levels):
    # on the unit cube its log-density is 0
    score = bits_per_dim(np.zeros(3), d=784, n_levels=n_levels)
    np.testing.assert_array_equal(score, np.full(3, np.log2(n_levels)))


@few
@given(
    arrays(float, st.integers(0, 5), elements=st.floats(-1e6, 1e6)),
    st.integers(1, 1000),
)
def test_matches_the_formula_in_fifty_digits(log_prob, d):
    with mpmath.workdps(50):
        wanted = [
            float(8 - mpmath.mpf(v) / (d * mpmath.log(2)))
            for v in log_prob.tolist()
        ]
    score = bits_per_dim(log_prob, d)
    assert score.shape == log_prob.shape
    np.testing.assert_allclose(score, wanted, rtol=1e-12, atol=1e-12)


def test_a_density_flat_on_each_bin_scores_its_discrete_code_length():
    """Such a density and the model of its 256 levels are the same model."""
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(256), size=7)  # 7 pixels
    levels = rng.integers(256, size=(20, 7))
    chance = probability[np.arange(7), levels]
    log_density = np.log(chance * 256).sum(axis=1)
    code_length = -np.log2(chance).sum(axis=1)
    np.testing.assert_allclose(
        bits_per_dim(log_density, d=7), code_length / 7, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.zeros((2, 2)), 4), r"log_prob .* got \(2, 2\)"),
        ((-1.0, 4), r"log_prob .* got \(\)"),
        (([0, -np.inf], 4), "log_prob holds 1 .* infinite"),
        (([np.nan], 4), "log_prob holds 1 .* NaN"),
        ((["a"], 4), "log_prob .* <U1"),
        (([0.0], 0), "d must .* got 0"),
        (([0.0], -3), "d must .* got -3"),
        (([0.0], 2.5), "d must .* got 2.5"),
        (([0.0], True), "d must .* got True"),
        (([0.0], 4, 1), "n_levels must .* got 1"),
    ],
)
def test_bad_input_is_named(args, message):
    with pytest.raises(ValueError, match=message):
        bits_per_dim(*args)
