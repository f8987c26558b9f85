"""Gaussians of low rank against SciPy, scikit-learn, Bishop and theory."""

import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, multivariate_normal
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits

import utils.lowrank
from utils.data import load_mnist, preprocess
from utils.gaussian import conditional
from utils.lowrank import LowRankGaussian, fit_factor_analysis, fit_ppca

few = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def locked(*arrays):
    """The same arrays, such that writing to them raises."""
    for array in arrays:
        array.flags.writeable = False
    return arrays if len(arrays) > 1 else arrays[0]


@st.composite
def models(draw):
    """Generator, and a model whose coordinates differ in scale."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d = draw(st.integers(1, 8))
    k = draw(st.integers(1, 8))  # more latents than coordinates is allowed
    scale = 10.0 ** rng.uniform(-1, 1, size=d)
    return rng, LowRankGaussian(
        *locked(
            10 * rng.standard_normal(d),
            scale[:, None] * rng.standard_normal((d, k)),
            scale**2 * rng.uniform(0.1, 2, size=d),
        )
    )


def dense(model):
    """The covariance that the code never builds."""
    return model.loadings @ model.loadings.T + np.diag(model.noise_variance)


def likelihood(model, mean, cov):
    """Mean log-density of rows that have this mean and covariance."""
    wanted, difference = dense(model), mean - model.mean
    spread = cov + np.outer(difference, difference)
    return -0.5 * (
        np.linalg.slogdet(2 * np.pi * wanted)[1]
        + np.trace(np.linalg.solve(wanted, spread))
    )


@cache
def digits():
    """A few pixels of test digits, float64; their mean and covariance."""
    (_, _), (images, _) = load_mnist()
    x = preprocess(images[:2000])[:, 300:460:4].astype(float)
    keep = x.var(axis=0) > 0.01
    return locked(
        np.ascontiguousarray(x[:, keep]),
        x[:, keep].mean(axis=0),
        np.cov(x[:, keep], rowvar=False, ddof=0),
    )


# Density


@few
@given(models())
def test_log_prob_matches_scipy_with_the_dense_covariance(case):
    rng, model = case
    far = 10.0 ** rng.integers(-1, 3, size=(6, 1))
    x = locked(model.sample(6, rng) * far)
    got = model.log_prob(x)
    wanted = multivariate_normal(model.mean, dense(model)).logpdf(x)
    assert got.dtype == np.float64 and got.shape == (6,)
    np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-8)


def test_float32_rows_are_worked_in_float64():
    x, mean, cov = digits()
    model = fit_ppca(mean, cov, 5)
    single = x.astype(np.float32)
    got = model.log_prob(single)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, model.log_prob(single.astype(float)))


def test_whole_numbers_are_taken():
    model = LowRankGaussian([0, 0], [[1], [2]], [1, 1])
    wanted = multivariate_normal([0, 0], [[2, 2], [2, 5]]).logpdf([1, 1])
    np.testing.assert_allclose(model.log_prob([[1, 1]]), wanted)


def test_log_prob_in_784_dimensions():
    (_, _), (images, _) = load_mnist()
    x = preprocess(images[:300]).astype(float)
    cov = np.cov(x, rowvar=False, ddof=0)  # of rank 299
    model = fit_ppca(x.mean(axis=0), cov, 40)
    wanted = multivariate_normal(model.mean, dense(model)).logpdf(x)
    np.testing.assert_allclose(model.log_prob(x), wanted, rtol=1e-9)


def test_one_row_is_no_different_from_many():
    x, mean, cov = digits()
    model = fit_ppca(mean, cov, 3)
    np.testing.assert_allclose(
        np.concatenate([model.log_prob(x[i : i + 1]) for i in range(9)]),
        model.log_prob(x[:9]),
        rtol=1e-12,
    )


# Posterior of the latents


@few
@given(models())
def test_posterior_is_the_conditional_of_the_joint_law(case):
    """(z, x) is one Gaussian; lesson 06 conditions it on x."""
    rng, model = case
    d, k = model.loadings.shape
    cov = np.block(
        [
            [np.eye(k), model.loadings.T],
            [model.loadings, dense(model)],
        ]
    )
    known = np.arange(k + d) >= k
    x = locked(model.sample(4, rng))
    got_mean, got_cov = model.posterior(x)
    mean = np.concatenate([np.zeros(k), model.mean])
    wanted_mean, wanted_cov = conditional(mean, cov, known, x)
    assert got_mean.shape == (4, k)
    np.testing.assert_allclose(got_mean, wanted_mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(got_cov, wanted_cov, rtol=1e-6, atol=1e-8)


def test_posterior_matches_bishop_for_equal_noise():
    """Equations 12.41 and 12.42: M = W^T W + sigma^2 I."""
    x, mean, cov = digits()
    model = fit_ppca(mean, cov, 4)
    w, noise = model.loadings, model.noise_variance[0]
    m = w.T @ w + noise * np.eye(4)
    got_mean, got_cov = model.posterior(x[:50])
    wanted = np.linalg.solve(m, w.T @ (x[:50] - mean).T).T
    np.testing.assert_allclose(got_mean, wanted, rtol=1e-9, atol=1e-12)
    wanted = noise * np.linalg.inv(m)
    np.testing.assert_allclose(got_cov, wanted, rtol=1e-9, atol=1e-12)


# Sampling


@pytest.mark.parametrize("add_noise", [True, False])
def test_sample_moments_are_within_five_standard_errors(add_noise):
    rng = np.random.default_rng(0)
    n, d = 100_000, 5
    model = LowRankGaussian(
        rng.standard_normal(d),
        rng.standard_normal((d, 2)),
        rng.uniform(0.2, 3, size=d),
    )
    x = model.sample(n, np.random.default_rng(1), add_noise=add_noise)
    cov = dense(model) if add_noise else model.loadings @ model.loadings.T
    sd = np.sqrt(np.diag(cov))
    assert (np.abs(x.mean(axis=0) - model.mean) < 5 * sd / n**0.5).all()
    error = np.sqrt((np.outer(sd, sd) ** 2 + cov**2) / n)
    assert (np.abs(np.cov(x, rowvar=False) - cov) < 5 * error).all()
    if add_noise:  # its own density finds nothing odd about them
        log_prob = multivariate_normal(model.mean, cov).logpdf(x[:2000])
        peak = -0.5 * np.linalg.slogdet(2 * np.pi * cov)[1]
        inside = (2 * (peak - log_prob) < chi2(d).ppf(0.5)).mean()
        assert abs(inside - 0.5) < 5 * 0.5 / 2000**0.5


def test_rows_without_noise_lie_on_a_plane():
    _, mean, cov = digits()
    model = fit_ppca(mean, cov, 3)
    x = model.sample(20, np.random.default_rng(0), add_noise=False)
    assert np.linalg.matrix_rank(x - mean, tol=1e-8) == 3
    x = model.sample(20, np.random.default_rng(0))
    assert np.linalg.matrix_rank(x - mean, tol=1e-8) == 20


def test_the_same_generator_draws_the_same_rows():
    _, mean, cov = digits()
    model = fit_ppca(mean, cov, 3)
    a, b = (model.sample(5, np.random.default_rng(3)) for _ in "ab")
    np.testing.assert_array_equal(a, b)
    assert model.sample(0, np.random.default_rng(3)).shape == (0, len(mean))


# Probabilistic PCA


@pytest.mark.parametrize("n_factors", [1, 3, 10])
def test_ppca_is_scikit_learns(n_factors):
    x, mean, cov = digits()
    pca = PCA(n_factors, svd_solver="full").fit(x)
    unbiased = fit_ppca(mean, cov * len(x) / (len(x) - 1), n_factors)
    np.testing.assert_allclose(
        dense(unbiased), pca.get_covariance(), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(
        unbiased.log_prob(x), pca.score_samples(x), rtol=1e-8, atol=1e-8
    )
    np.testing.assert_allclose(unbiased.noise_variance, pca.noise_variance_)
    # ours is the one of the largest likelihood
    model = fit_ppca(mean, cov, n_factors)
    assert model.log_prob(x).mean() > pca.score(x)
    assert model.noise_variance.shape == mean.shape
    assert model.loadings.shape == (len(mean), n_factors)


@pytest.mark.parametrize("n_factors", [1, 4])
def test_ppca_has_the_largest_likelihood(n_factors):
    _, mean, cov = digits()
    model, rng = fit_ppca(mean, cov, n_factors), np.random.default_rng(0)
    best = likelihood(model, mean, cov)
    for size in 10.0 ** rng.uniform(-3, 0, size=60):
        w = model.loadings + size * rng.standard_normal(model.loadings.shape)
        noise = model.noise_variance * np.exp(size * rng.standard_normal())
        assert likelihood(LowRankGaussian(mean, w, noise), mean, cov) < best
        off = mean + size * rng.standard_normal(len(mean))
        moved = LowRankGaussian(off, model.loadings, model.noise_variance)
        assert likelihood(moved, mean, cov) < best


def test_ppca_keeps_the_leading_variances_and_averages_the_others():
    variance = np.array([1.0, 9.0, 4.0, 2.0])
    model = fit_ppca(np.zeros(4), np.diag(variance), 2)
    np.testing.assert_allclose(model.noise_variance, np.full(4, 1.5))
    wanted = np.zeros((4, 2))
    wanted[1, 0], wanted[2, 1] = np.sqrt([9 - 1.5, 4 - 1.5])
    np.testing.assert_allclose(model.loadings, wanted, atol=1e-12)


@few
@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.data())
def test_the_largest_loading_of_each_direction_is_positive(seed, d, data):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((d, d + 2))
    n_factors = data.draw(st.integers(1, d - 1))
    w = fit_ppca(np.zeros(d), a @ a.T, n_factors).loadings
    assert (w[np.abs(w).argmax(axis=0), np.arange(n_factors)] > 0).all()
    across = w.T @ w  # directions at right angles, the longest first
    np.testing.assert_allclose(across, np.diag(np.diag(across)), atol=1e-9)
    assert (np.diff(np.diag(across)) <= 1e-12).all()


def test_ppca_of_a_singular_covariance():
    """Rank 3 of 6: noise is left for 1 and 2 directions, not for 3."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((6, 3))
    for n_factors in (1, 2):
        assert fit_ppca(np.zeros(6), a @ a.T, n_factors).noise_variance[0] > 0
    for n_factors in (3, 4, 5):
        message = f"cov has rank {n_factors} or less: no noise is left"
        with pytest.raises(ValueError, match=message):
            fit_ppca(np.zeros(6), a @ a.T, n_factors)


def test_ppca_takes_constant_coordinates():
    model = fit_ppca(np.zeros(4), np.diag([3.0, 0, 1, 0]), 1)
    np.testing.assert_allclose(model.noise_variance, 1 / 3)
    np.testing.assert_allclose(model.loadings[:, 0], [(8 / 3) ** 0.5, 0, 0, 0])


# Factor analysis


@pytest.mark.slow
@pytest.mark.parametrize("n_factors", [1, 2, 3])
def test_factor_analysis_finds_scikit_learns_likelihood(n_factors):
    """On noisy digits, where both climb the same hill."""
    x = digits()[0]
    x = x + 0.3 * np.random.default_rng(0).standard_normal(x.shape)
    mean, cov = x.mean(axis=0), np.cov(x, rowvar=False, ddof=0)
    other = FactorAnalysis(
        n_factors, tol=1e-7, max_iter=1000, svd_method="lapack"
    ).fit(x)
    model = fit_factor_analysis(
        mean, cov, n_factors, floor=1e-9, tol=1e-12, max_iterations=5000
    )
    got = model.log_prob(x).mean()
    assert abs(got - other.score(x)) < 1e-6
    assert abs(got - likelihood(model, mean, cov)) < 1e-9
    np.testing.assert_allclose(dense(model), other.get_covariance(), atol=1e-3)
    assert got > fit_ppca(mean, cov, n_factors).log_prob(x).mean() + 0.1


def test_factor_analysis_finds_the_model_that_made_the_covariance():
    rng = np.random.default_rng(0)
    true = LowRankGaussian(
        rng.standard_normal(8),
        rng.standard_normal((8, 2)),
        rng.uniform(0.1, 2, size=8),
    )
    cov = dense(true)
    model = fit_factor_analysis(
        true.mean, locked(cov), 2, 1e-6, tol=1e-12, max_iterations=50_000
    )
    np.testing.assert_array_equal(model.mean, true.mean)
    np.testing.assert_allclose(dense(model), cov, atol=1e-3)
    np.testing.assert_allclose(
        model.noise_variance, true.noise_variance, atol=1e-3
    )


def test_each_iteration_climbs():
    _, mean, cov = digits()
    cov = cov.copy()
    cov[3], cov[:, 3] = 0, 0  # one coordinate comes to rest on the floor
    found = [likelihood(fit_ppca(mean, cov, 3), mean, cov)]
    for n in range(1, 25):
        with pytest.warns(ConvergenceWarning):
            model = fit_factor_analysis(
                mean, cov, 3, floor=1e-3, tol=0, max_iterations=n
            )
        found.append(likelihood(model, mean, cov))
    assert (np.diff(found) > 0).all()
    assert found[-1] > found[0] + 0.5


def test_it_stops_at_the_first_gain_below_tol():
    _, mean, cov = digits()
    tol = 0.01

    def after(n):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return fit_factor_analysis(
                mean, cov, 3, 1e-6, tol=0, max_iterations=n
            )

    start = likelihood(fit_ppca(mean, cov, 3), mean, cov)
    climb = [start] + [likelihood(after(n), mean, cov) for n in range(1, 60)]
    stop = int((np.diff(climb) < tol).argmax())
    assert 1 < stop < 50
    model = fit_factor_analysis(mean, cov, 3, 1e-6, tol=tol)
    # the gain of a step is known one step later
    np.testing.assert_array_equal(
        model.noise_variance, after(stop + 2).noise_variance
    )


def test_a_constant_coordinate_stays_on_the_floor():
    x, _, _ = digits()
    x = x.copy()
    x[:, 5] = 0.25
    mean, cov = x.mean(axis=0), np.cov(x, rowvar=False, ddof=0)
    for floor in (1e-2, 1e-4):
        model = fit_factor_analysis(mean, cov, 3, floor, max_iterations=5000)
        assert model.noise_variance.min() == model.noise_variance[5] == floor
        assert np.abs(model.loadings[5]).max() < 1e-6
        assert np.isfinite(model.log_prob(x)).all()


def test_no_convergence_is_told_to_the_caller():
    _, mean, cov = digits()
    message = "no convergence to 1e-12 nats in 2 iterations"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        fit_factor_analysis(mean, cov, 2, 1e-6, tol=1e-12, max_iterations=2)
    assert [w.filename for w in caught] == [__file__]


def blas_threads():
    found = threadpool_info()
    return {b["num_threads"] for b in found if b["user_api"] == "blas"}


@pytest.mark.parametrize("wrong", [False, True])
def test_one_blas_thread_fits_and_the_caller_keeps_his(monkeypatch, wrong):
    _, mean, cov = digits()
    step, seen = utils.lowrank.factor_m_step, []

    def watched(*args):
        seen.append(blas_threads())
        return step(*args)

    monkeypatch.setattr(utils.lowrank, "factor_m_step", watched)
    with threadpool_limits(2, user_api="blas"):
        if wrong:
            with pytest.raises(ValueError, match="floor"):
                fit_factor_analysis(mean, cov, 2, 0)
        else:
            fit_factor_analysis(mean, cov, 2, 1e-6, tol=1e9)
            assert seen == [{1}, {1}]
        assert blas_threads() == {2}


def test_many_rows_have_the_density_of_each():
    rng, n = np.random.default_rng(0), 2 * utils.lowrank.ROWS + 3
    model = LowRankGaussian(
        rng.random(5), rng.standard_normal((5, 2)), rng.uniform(0.1, 1, 5)
    )
    x = model.sample(n, rng)
    every = np.concatenate([model.log_prob(row[None]) for row in x])
    np.testing.assert_allclose(model.log_prob(x), every, rtol=1e-12)


# Counting


def test_parameters_are_counted_as_by_hand():
    mean, loadings = np.zeros(784), np.zeros((784, 80))
    ppca = LowRankGaussian(mean, loadings, np.full(784, 0.1))
    assert ppca.n_parameters == 60_345
    factors = LowRankGaussian(mean, loadings, np.linspace(1, 2, 784))
    assert factors.n_parameters == 61_128
    # 5 for the mean, 5 + 4 for W (a rotation is free), 1 or 5 for the noise
    small = LowRankGaussian(np.zeros(5), np.ones((5, 2)), np.ones(5))
    assert small.n_parameters == 5 + 9 + 1
    small = LowRankGaussian(np.zeros(5), np.ones((5, 2)), np.arange(1, 6))
    assert small.n_parameters == 5 + 9 + 5


@pytest.mark.parametrize("k", [1, 2, 3, 4, 6])
def test_parameters_are_the_directions_in_which_the_law_changes(k):
    """The rank of the derivative of W W^T with respect to W."""
    d = 4
    w = np.random.default_rng(k).standard_normal((d, k))
    moves = np.eye(d * k).reshape(-1, d, k)
    changes = moves @ w.T + (moves @ w.T).mT
    rank = np.linalg.matrix_rank(changes.reshape(d * k, -1))
    model = LowRankGaussian(np.zeros(d), w, np.ones(d))
    assert model.n_parameters == d + rank + 1


# Bad input

M, C = locked(np.zeros(3), np.diag([3.0, 2.0, 1.0]))
G = fit_ppca(M, C, 1)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        # LowRankGaussian
        (lambda: LowRankGaussian(C, C, M + 1), r"mean must .* \(3, 3\)"),
        (lambda: LowRankGaussian(M, M, M + 1), r"loadings must .* \(3,\)"),
        (lambda: LowRankGaussian(M, np.eye(2), M + 1), r"loadings .* \(2, 2"),
        (lambda: LowRankGaussian(M, C, 1.0), r"noise_variance must .* \(\)"),
        (lambda: LowRankGaussian(M, C, [1, 1]), r"noise_variance .* \(2,\)"),
        (lambda: LowRankGaussian(M, C, M), "noise_variance .* least is 0"),
        (lambda: LowRankGaussian(M, C, [1, 1, -2]), "noise_.* least is -2"),
        (lambda: LowRankGaussian(M, C, [1, 1, np.nan]), "noise_.* 1 .* NaN"),
        (lambda: LowRankGaussian(M, C + np.inf, M + 1), "loadings holds 9"),
        (lambda: LowRankGaussian(M, C, M + 1e-15), "noise_.* lost in round"),
        (lambda: G.sample(-1, RNG), "n must .* got -1"),
        (lambda: G.sample(1.5, RNG), "n must .* got 1.5"),
        (lambda: G.sample(True, RNG, add_noise=False), "n must .* got True"),
        (lambda: G.sample(1, 0), "rng must .* got int"),
        (lambda: G.sample(1, np.random), "rng must .* got module"),
        (lambda: G.log_prob(M), r"x must .* got \(3,\)"),
        (lambda: G.log_prob(np.eye(2)), r"x must .* got \(2, 2\)"),
        (lambda: G.log_prob(C[:0]), r"x is empty.* \(0, 3\)"),
        (lambda: G.log_prob([[0, 0, np.nan]]), "x holds 1 .* NaN"),
        (lambda: G.posterior(M), r"x must .* got \(3,\)"),
        (lambda: G.posterior(np.eye(2)), r"x must .* got \(2, 2\)"),
        (lambda: G.posterior([[0, 0, np.inf]]), "x holds 1 .* infinite"),
        # fit_ppca
        (lambda: fit_ppca(C, C, 1), r"mean must .* got \(3, 3\)"),
        (lambda: fit_ppca([0, 0, np.nan], C, 1), "mean holds 1 .* NaN"),
        (lambda: fit_ppca(M, M, 1), r"cov must .* got \(3,\)"),
        (lambda: fit_ppca(M, np.eye(2), 1), r"cov must .* got \(2, 2\)"),
        (lambda: fit_ppca(M, C + np.inf, 1), "cov holds 9 .* infinite"),
        (lambda: fit_ppca(M, np.triu(C + 1), 1), "cov is not symmetric"),
        (lambda: fit_ppca(M, C, 0), "n_factors must .* got 0"),
        (lambda: fit_ppca(M, C, 1.0), "n_factors must .* got 1.0"),
        (lambda: fit_ppca(M, C, True), "n_factors must .* got True"),
        (lambda: fit_ppca(M, C, None), "n_factors must .* got None"),
        (lambda: fit_ppca(M, C, 3), "n_factors must be below 3, got 3"),
        (lambda: fit_ppca(M, C, 9), "n_factors must be below 3, got 9"),
        (lambda: fit_ppca([0.0], [[1.0]], 1), "n_factors must be below 1"),
        (lambda: fit_ppca(M, 0 * C, 1), "no noise is left"),
        (lambda: fit_ppca(M, np.diag([1.0, 0, 0]), 1), "no noise is left"),
        # fit_factor_analysis
        (lambda: fit_factor_analysis(C, C, 1, 0.1), r"mean .* \(3, 3\)"),
        (lambda: fit_factor_analysis(M, M, 1, 0.1), r"cov .* \(3,\)"),
        (lambda: fit_factor_analysis(M, C, 0, 0.1), "n_factors .* got 0"),
        (lambda: fit_factor_analysis(M, C, 3, 0.1), "n_factors .* got 3"),
        (lambda: fit_factor_analysis(M, C, 1, 0), "floor must be above 0"),
        (lambda: fit_factor_analysis(M, C, 1, 0.0), "floor must be above"),
        (lambda: fit_factor_analysis(M, C, 1, -1), "floor .* got -1"),
        (lambda: fit_factor_analysis(M, C, 1, np.nan), "floor .* got nan"),
        (lambda: fit_factor_analysis(M, C, 1, None), "floor .* got None"),
        (
            lambda: fit_factor_analysis(M, C, 1, 0.1, max_iterations=0),
            "max_iterations must .* got 0",
        ),
        (
            lambda: fit_factor_analysis(M, C, 1, 0.1, max_iterations=2.5),
            "max_iterations must .* got 2.5",
        ),
        (
            lambda: fit_factor_analysis(M, C, 1, 0.1, tol=-1),
            "tol must .* got -1",
        ),
        (
            lambda: fit_factor_analysis(M, C, 1, 0.1, tol=np.nan),
            "tol must .* got nan",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    before = RNG.bit_generator.state
    with pytest.raises(ValueError, match=message):
        call()
    assert RNG.bit_generator.state == before  # nothing was drawn
