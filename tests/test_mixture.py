"""Mixtures and their EM against scikit-learn, SciPy and theory."""

import re
import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import chi2, multivariate_normal
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from utils import em, mixture
from utils.data import load_mnist, preprocess
from utils.em import ERROR, LowRankSteps, MomentSteps, check_precision
from utils.gaussian import Gaussian, class_posterior
from utils.lowrank import LowRankGaussian, fit_factor_analysis
from utils.mixture import Mixture, fit_mixture

KINDS = [
    {"covariance": "full"},
    {"covariance": "tied"},
    {"covariance": "diag"},
    {"covariance": "low_rank", "n_factors": 3},
]
each_kind = pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: kind["covariance"]
)
each_moment_kind = pytest.mark.parametrize("kind", ["full", "tied", "diag"])
K = 5
few = settings(derandomize=True, deadline=None, max_examples=25, database=None)


def locked(*arrays):
    """The same arrays, such that writing to them raises."""
    for array in arrays:
        array.flags.writeable = False
    return arrays if len(arrays) > 1 else arrays[0]


@cache
def digits():
    """3,000 test digits in 12 principal components, float64."""
    (_, _), (images, _) = load_mnist()
    x = preprocess(images[:3000]).astype(float)
    return locked(PCA(12, svd_solver="covariance_eigh").fit_transform(x) + 1)


def spread(x):
    """Covariance of the rows, with n."""
    return np.cov(x, rowvar=False, ddof=0)


def quiet_fit(x, k, seed=0, **options):
    """Fit, whether it converges or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit_mixture(x, k, np.random.default_rng(seed), **options)


def start_of(x, k, covariance):
    """Rows as means, the covariance of all rows, uneven weights."""
    rng = np.random.default_rng(1)
    means = x[rng.choice(len(x), k, replace=False)]
    cov = spread(x)
    if covariance == "diag":
        cov = np.diag(np.diag(cov))
    weights = np.arange(2.0, k + 2) / np.arange(2, k + 2).sum()
    return Mixture(
        weights, tuple(Gaussian.from_moments(m, cov) for m in means)
    )


def sklearn_fit(x, start, covariance, ridge, iterations):
    """scikit-learn's EM from the same start, and its lower bounds."""
    precision = np.stack([np.linalg.inv(dense(c)) for c in start.components])
    k = len(start.weights)
    shape = {
        "full": precision,
        "tied": precision[0],
        "diag": np.diagonal(precision, axis1=1, axis2=2),
    }
    other = GaussianMixture(
        k,
        covariance_type=covariance,
        tol=0,
        reg_covar=ridge,
        max_iter=1,
        weights_init=start.weights,
        means_init=np.stack([c.mean for c in start.components]),
        precisions_init=shape[covariance],
        warm_start=True,
    )
    bounds = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(iterations):
            bounds.append(other.fit(x).lower_bound_)
    return other, bounds


def dense(component):
    """Covariance of a component."""
    if isinstance(component, LowRankGaussian):
        outer = component.loadings @ component.loadings.T
        return outer + np.diag(component.noise_variance)
    return component.factor @ component.factor.T


def scipy_log_prob(model, x):
    """The density by its definition, from dense covariances."""
    log_prob = [
        multivariate_normal(c.mean, dense(c)).logpdf(x)
        for c in model.components
    ]
    return logsumexp(np.transpose(log_prob), b=model.weights, axis=1)


# EM against scikit-learn


@pytest.mark.slow
@each_moment_kind
def test_ten_iterations_agree_with_scikit_learn(kind):
    x, ridge = digits(), 1e-3
    start = start_of(x, K, kind)
    other, bounds = sklearn_fit(x, start, kind, ridge, 10)
    ours = quiet_fit(
        x,
        K,
        covariance=kind,
        ridge=ridge,
        start=start,
        tol=0,
        max_iterations=10,
    )
    np.testing.assert_allclose(ours.history, bounds, rtol=1e-10)
    np.testing.assert_allclose(
        ours.log_prob(x), other.score_samples(x), rtol=0, atol=1e-7
    )
    np.testing.assert_allclose(
        ours.responsibilities(x), other.predict_proba(x), rtol=0, atol=1e-7
    )
    np.testing.assert_allclose(ours.weights, other.weights_, rtol=1e-8)
    means = np.stack([c.mean for c in ours.components])
    np.testing.assert_allclose(means, other.means_, atol=1e-8)
    assert ours.history[-1] > ours.history[0] + 0.5  # it has come far
    assert not ours.converged


@pytest.mark.slow
@each_moment_kind
def test_float32_rows_agree_in_the_mean(kind):
    x, ridge = digits(), 1e-3
    start = start_of(x, K, kind)
    other, bounds = sklearn_fit(x, start, kind, ridge, 10)
    ours = quiet_fit(
        x.astype(np.float32),
        K,
        covariance=kind,
        ridge=ridge,
        start=start,
        tol=0,
        max_iterations=10,
    )
    np.testing.assert_allclose(ours.history, bounds, rtol=0, atol=1e-3)
    assert abs(ours.log_prob(x).mean() - other.score(x)) < 1e-3


# The climb


@pytest.mark.slow
@each_kind
def test_history_is_the_density_and_climbs(kind):
    """Each entry is the mean log-density before that iteration."""
    x, n = digits()[:800], 6
    options = dict(kind, ridge=1e-9, tol=0)
    whole = quiet_fit(x, K, max_iterations=40, **options)
    assert len(whole.history) == 40
    assert np.diff(whole.history).min() > -1e-9
    assert whole.history[-1] > whole.history[0] + 0.1
    for i in range(1, n):
        model = quiet_fit(x, K, max_iterations=i, **options)
        assert model.history == whole.history[:i]
        wanted = scipy_log_prob(model, x)
        np.testing.assert_allclose(model.log_prob(x), wanted, rtol=1e-9)
        assert abs(wanted.mean() - whole.history[i]) < 1e-9


@pytest.mark.slow
@each_kind
def test_a_fit_that_has_converged_cannot_be_bettered(kind):
    """Along any direction the slope of the likelihood is 0."""
    x = digits()[:600, :6]
    model = quiet_fit(x, 2, ridge=0, tol=1e-13, max_iterations=5000, **kind)
    rng = np.random.default_rng(0)

    def slope(change):
        a, b = (log_prob_after(model, x, change, h) for h in (1e-4, -1e-4))
        return (a - b) / 2e-4

    for _ in range(5):
        if "n_factors" in kind:
            change = moved_low_rank(model, rng)
        else:
            change = moved(model, rng, kind["covariance"])
        assert abs(slope(change)) < 1e-3


def log_prob_after(model, x, change, step):
    weights, components = change(step)
    return scipy_log_prob(Mixture(weights, components), x).mean()


def moved_low_rank(model, rng):
    """Change of each parameter, by a step along a random direction."""
    tilt = rng.standard_normal(len(model.weights))
    along = [
        [
            rng.standard_normal(a.shape)
            for a in (c.mean, c.loadings, c.noise_variance)
        ]
        for c in model.components
    ]

    def change(step):
        weights = model.weights * np.exp(step * tilt)
        components = tuple(
            LowRankGaussian(
                c.mean + step * m,
                c.loadings + step * w,
                c.noise_variance * np.exp(step * s),
            )
            for c, (m, w, s) in zip(model.components, along, strict=True)
        )
        return weights / weights.sum(), components

    return change


def moved(model, rng, kind):
    """The same for full, tied and diagonal covariances."""
    tilt = rng.standard_normal(len(model.weights))
    d = len(model.components[0].mean)
    means = rng.standard_normal((len(tilt), d))
    stretch = np.tril(rng.standard_normal((len(tilt), d, d)))
    if kind == "tied":
        stretch[:] = stretch[0]
    if kind == "diag":
        stretch *= np.eye(d)

    def change(step):
        weights = model.weights * np.exp(step * tilt)
        components = tuple(
            Gaussian(c.mean + step * m, c.factor @ (np.eye(d) + step * s))
            for c, m, s in zip(model.components, means, stretch, strict=True)
        )
        return weights / weights.sum(), components

    return change


@pytest.mark.parametrize("n", [1, 2, 7])
def test_one_low_rank_component_is_factor_analysis(n):
    """Step by step: both start from probabilistic PCA."""
    x = digits()[:800]
    ours = quiet_fit(
        x,
        1,
        covariance="low_rank",
        n_factors=3,
        ridge=1e-12,
        tol=0,
        max_iterations=n,
    ).components[0]
    with pytest.warns(ConvergenceWarning):
        wanted = fit_factor_analysis(
            x.mean(axis=0), spread(x), 3, 1e-12, tol=0, max_iterations=n
        )
    np.testing.assert_allclose(ours.mean, wanted.mean, atol=1e-12)
    np.testing.assert_allclose(
        ours.noise_variance, wanted.noise_variance, rtol=1e-8
    )
    np.testing.assert_allclose(dense(ours), dense(wanted), atol=1e-9)


def test_one_low_rank_component_comes_to_factor_analysis():
    x = digits()[:800]
    options = {"tol": 1e-7, "max_iterations": 20_000}
    ours = quiet_fit(
        x, 1, covariance="low_rank", n_factors=2, ridge=1e-9, **options
    )
    wanted = fit_factor_analysis(x.mean(axis=0), spread(x), 2, 1e-9, **options)
    assert ours.converged
    difference = ours.log_prob(x).mean() - wanted.log_prob(x).mean()
    assert abs(difference) < 1e-6


@each_moment_kind
def test_one_component_is_the_gaussian_of_mean_and_covariance(kind):
    x, ridge = digits(), 0.01
    ours = fit_mixture(
        x, 1, np.random.default_rng(0), covariance=kind, ridge=ridge
    )
    cov = spread(x)
    if kind == "diag":
        cov = np.diag(np.diag(cov))
    wanted = Gaussian.from_moments(x.mean(axis=0), cov, ridge=ridge)
    np.testing.assert_allclose(ours.log_prob(x), wanted.log_prob(x), rtol=1e-9)
    np.testing.assert_array_equal(ours.weights, [1])
    assert ours.converged and len(ours.history) == 2


def test_the_sources_of_well_separated_rows_are_found():
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0], [30, 0], [0, 30]])
    weights = np.array([0.2, 0.3, 0.5])
    cov = np.array([[2.0, 1.2], [1.2, 1.0]])
    label = rng.choice(3, size=5000, p=weights)
    x = means[label] + rng.multivariate_normal(np.zeros(2), cov, size=5000)
    model = fit_mixture(x, 3, rng)
    found = np.stack([c.mean for c in model.components])
    order = [np.abs(found - m).sum(axis=1).argmin() for m in means]
    np.testing.assert_allclose(found[order], means, atol=0.2)
    np.testing.assert_allclose(model.weights[order], weights, atol=0.03)
    for component in model.components:
        np.testing.assert_allclose(dense(component), cov, atol=0.2)
    resp = model.responsibilities(x)[:, order]
    np.testing.assert_array_equal(resp.argmax(axis=1), label)


# Rows that are hostile to rounding


@st.composite
def hostile(draw):
    """float32 rows, a number of components, and a ridge that suits them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(3, 30)), draw(st.integers(2, 4))
    x = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-1, 1, d)
    k, scale = draw(st.integers(1, min(n, 5))), 1.0
    case = draw(
        st.sampled_from(["offset", "scale", "outlier", "repeats", "distinct"])
    )
    if case == "offset":
        x += 10.0 ** rng.uniform(0, 4)
    elif case == "scale":
        scale = 10.0 ** rng.uniform(-6, 6)
    elif case == "outlier":
        x[0] += 10.0 ** rng.uniform(1, 4)
    elif case == "repeats":
        x = np.repeat(x, rng.integers(1, 5, n), axis=0)
    else:
        x, k = np.repeat(x[:6], 3, axis=0), len(x[:6])
    ridge = 10.0 ** rng.uniform(-3, -1) * scale**2
    return locked((x * scale).astype(np.float32)), k, ridge


def inverses(model):
    """Trace of each inverse covariance, or of each inverse noise."""
    return np.array(
        [
            (1 / c.noise_variance).sum()
            if isinstance(c, LowRankGaussian)
            else np.trace(np.linalg.inv(dense(c)))
            for c in model.components
        ]
    )


@each_kind
@few
@given(hostile())
def test_float32_climbs_like_float64(kind, problem):
    """As far as the ridge lets it, and to 0.005 nats."""
    x, k, ridge = problem
    kind = dict(kind, **({"n_factors": 1} if "n_factors" in kind else {}))
    options = dict(kind, ridge=ridge, tol=0)
    start = quiet_fit(x.astype(float), k, max_iterations=1, **options)
    fits = {}
    for dtype, rounding in ((np.float32, 5e-3), (np.float64, 1e-6)):
        models = [start] + [
            quiet_fit(
                x.astype(dtype), k, start=start, max_iterations=i, **options
            )
            for i in (1, 2, 3)
        ]
        gains = np.diff(models[-1].history)
        for old, new, gain in zip(models, models[1:], gains, strict=False):
            lost = new.weights @ (inverses(old) - inverses(new))
            assert gain > -ridge / 2 * lost - rounding
        fits[dtype] = models[-1]
    single, double = fits.values()
    np.testing.assert_allclose(single.history, double.history, atol=5e-3)
    for a, b in zip(single.components, double.components, strict=True):
        sd = np.sqrt(np.diag(dense(b)))
        assert (np.abs(a.mean - b.mean) < 0.01 * sd).all()
        np.testing.assert_allclose(np.diag(dense(a)), sd**2, rtol=0.05)


@each_moment_kind
@few
@given(hostile())
def test_hostile_rows_agree_with_scikit_learn(kind, problem):
    x, k, ridge = problem
    x = x.astype(float)
    options = dict(covariance=kind, ridge=ridge, tol=0)
    start = quiet_fit(x, k, max_iterations=1, **options)
    ours = quiet_fit(x, k, start=start, max_iterations=4, **options)
    # it squares rows as they stand, so that it gets them centred
    centre = x.mean(axis=0)
    centred = shifted(start, -centre)
    other, bounds = sklearn_fit(x - centre, centred, kind, ridge, 4)
    np.testing.assert_allclose(ours.history, bounds, rtol=0, atol=1e-4)
    means = np.stack([c.mean for c in ours.components]) - centre
    sd = np.sqrt([np.diag(dense(c)) for c in ours.components])
    assert (np.abs(means - other.means_) < 1e-4 * sd).all()


@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ridge_is_the_variance_of_a_row_alone(kind, dtype):
    """However far off it is: nothing pulls it to the mean of all rows."""
    x = np.array([[9999.0, 1], [0, 2], [0, 2]], dtype)
    options = dict(kind, ridge=0.1, tol=0)
    if "n_factors" in kind:  # its own start is wide, and takes long to part
        rows = [np.array([9999.0, 1]), np.array([0.0, 2])]
        components = [
            LowRankGaussian(m, np.eye(2)[:, :1], [1, 1]) for m in rows
        ]
        options |= {"start": Mixture([0.5, 0.5], components), "n_factors": 1}
    model = quiet_fit(x, 2, max_iterations=50, **options)
    far, near = sorted(model.components, key=lambda c: -c.mean[0])
    np.testing.assert_allclose(far.mean, [9999, 1], rtol=1e-6)
    np.testing.assert_allclose(near.mean, [0, 2], atol=1e-3)
    for component in (far, near):
        np.testing.assert_allclose(np.diag(dense(component)), 0.1, rtol=0.01)


def test_low_rank_components_of_rows_in_a_plane_need_a_ridge():
    x = np.outer(np.arange(6.0), [1, 2, 3])
    options = {"covariance": "low_rank", "n_factors": 1}
    model = quiet_fit(x, 1, ridge=0.1, max_iterations=3, **options)
    np.testing.assert_allclose(
        dense(model.components[0]), spread(x) + 0.1 * np.eye(3), rtol=1e-2
    )
    with pytest.raises(ValueError, match="no noise is left"):
        quiet_fit(x, 1, ridge=0, **options)


def test_two_rows_in_float32():
    x = np.array([[9999.0], [0.0]], np.float32)
    model = fit_mixture(x, 2, np.random.default_rng(0), ridge=0.1)
    for component in model.components:
        np.testing.assert_allclose(dense(component), 0.1, rtol=1e-6)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag"])
def test_a_row_too_far_off_for_float64_is_refused(covariance):
    x = np.array([[0.0], [1.0], [2.0], [1e9]])
    options = dict(covariance=covariance, max_iterations=3)
    with pytest.raises(ValueError, match="narrow.*float64.*larger"):
        quiet_fit(x, 2, ridge=1e-6, **options)
    model = quiet_fit(x, 2, ridge=1e6, **options)
    variance = [dense(c)[0, 0] for c in model.components]
    np.testing.assert_allclose(variance, 1e6, rtol=0.02)


def test_rows_beside_one_far_off_are_told_apart_in_float32():
    """Where k-means in float32 finds but two or three of the five."""
    x = np.array([[1e5, 1e5], [0, 0], [0, 1], [1, 0], [5, 5]], np.float32)
    model = quiet_fit(x, 5, ridge=1e-3, max_iterations=5)
    means = sorted(tuple(c.mean) for c in model.components)
    np.testing.assert_allclose(means, sorted(map(tuple, x)), atol=1e-4)
    far = x.astype(float) + [[1e12, 0], [0, 0], [0, 0], [0, 0], [0, 0]]
    with pytest.raises(ValueError, match="k-means tells only . groups .* far"):
        quiet_fit(far, 5, ridge=1e-3, max_iterations=5)


def test_rounding_may_change_a_fiftieth_of_a_variance():
    for dtype in (np.dtype("f4"), np.dtype("f8")):
        most = ERROR / np.finfo(dtype).eps
        check_precision(0.99 * most, dtype)
        for swell in (1.01 * most, np.inf, np.nan):
            with pytest.raises(np.linalg.LinAlgError, match=str(dtype)):
                check_precision(swell, dtype)


# Chunks


def steps_of(x, covariance, n_factors=None, ridge=1e-3):
    """E- and M-steps, and parameters after the first iteration."""
    mean, cov = x.mean(axis=0), spread(x)
    if n_factors:
        steps = LowRankSteps(mean, cov, ridge, n_factors, 1e-12)
    else:
        steps = MomentSteps(mean, cov, ridge, covariance, 1e-12)
    params = steps.first(x, np.arange(len(x)) % K, K)
    sums, _ = steps.e_step(params, steps.blocks(x))
    return steps, steps.m_step(sums, params)


@each_kind
def test_statistics_of_two_halves_add_up(kind):
    x = digits()
    steps, params = steps_of(x, **kind)
    wanted, wanted_log_prob = steps.e_step(params, steps.blocks(x))
    (a, log_a), (b, log_b) = (
        steps.e_step(params, steps.blocks(part))
        for part in (x[:1100], x[1100:])
    )
    np.testing.assert_allclose(
        a + b, wanted, rtol=1e-9, atol=1e-12 * np.abs(wanted).max()
    )
    assert abs(log_a + log_b - wanted_log_prob) < 1e-9 * abs(wanted_log_prob)
    assert wanted.shape == (K, a.shape[1])
    np.testing.assert_allclose(wanted[:, 0].sum(), len(x))
    both = steps.m_step(a + b, params), steps.m_step(wanted, params)
    for got, whole in zip(*both, strict=True):
        np.testing.assert_allclose(got, whole, rtol=1e-7, atol=1e-9)


@each_kind
def test_to_and_from_data_space_undo_each_other(kind):
    x = digits()[:500]
    steps, params = steps_of(x, **kind)
    back = steps.from_data_space(*steps.to_data_space(params))
    for got, wanted in zip(back, params, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_are_kept_or_made_again_alike(kind, dtype, monkeypatch):
    x = locked(digits().astype(dtype))
    options = dict(kind, ridge=1e-3, tol=0, max_iterations=4)
    kept = quiet_fit(x, K, **options)
    monkeypatch.setattr(mixture, "KEEP", 0)
    again = quiet_fit(x, K, **options)
    assert again.history == kept.history
    np.testing.assert_array_equal(again.log_prob(x), kept.log_prob(x))
    monkeypatch.setattr(em, "BLOCK", 100)  # blocks of 16 rows, the least
    small = quiet_fit(x[:1003], K, **options)  # and one of 11
    monkeypatch.undo()
    whole = quiet_fit(x[:1003], K, **options)
    rtol = 1e-5 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(small.history, whole.history, rtol=rtol)


# Start, rng, stopping


@each_kind
def test_a_fit_goes_on_from_where_it_was(kind):
    """2 iterations and then 3 are 5; no start is drawn."""
    x, rng = digits()[:800], np.random.default_rng(0)
    options = dict(kind, ridge=1e-3, tol=0)
    whole = quiet_fit(x, K, max_iterations=5, **options)
    half = quiet_fit(x, K, max_iterations=2, **options)
    before = rng.bit_generator.state
    with pytest.warns(ConvergenceWarning):
        other = fit_mixture(x, K, rng, start=half, max_iterations=3, **options)
    assert rng.bit_generator.state == before
    history = half.history + other.history
    np.testing.assert_allclose(history, whole.history, rtol=1e-10)
    np.testing.assert_allclose(other.log_prob(x), whole.log_prob(x), rtol=1e-7)
    assert abs(other.history[0] - half.log_prob(x).mean()) < 1e-9


@each_kind
def test_the_same_generator_gives_the_same_mixture(kind):
    x = digits()[:500]
    a, b, c = (
        quiet_fit(x, K, seed, max_iterations=5, tol=0, **kind)
        for seed in (0, 0, 1)
    )
    assert a.history == b.history != c.history
    np.testing.assert_array_equal(a.log_prob(x), b.log_prob(x))
    np.testing.assert_array_equal(a.weights, b.weights)


def test_it_stops_when_an_iteration_changes_less_than_tol():
    x = digits()[:500]
    whole = quiet_fit(x, K, tol=0, max_iterations=120).history
    for tol in (0.1, 0.003):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = fit_mixture(x, K, np.random.default_rng(0), tol=tol)
        change = np.abs(np.diff(whole))
        n = int((change < tol).argmax()) + 2
        assert 2 < n < 120
        assert model.converged is True
        assert model.history == whole[:n]


def test_no_convergence_is_told_to_the_caller():
    x = digits()[:500]
    message = "EM has not converged to 1e-09 nats a row in 3 iterations"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model = fit_mixture(
            x, K, np.random.default_rng(0), tol=1e-9, max_iterations=3
        )
    assert [w.filename for w in caught] == [__file__]
    assert model.converged is False
    assert len(model.history) == 3
    assert model.log_prob(x).mean() > model.history[-1]


def test_progress_is_shown_on_a_long_fit_only(monkeypatch, capsys):
    x = digits()[:200]
    quiet_fit(x, 2, tol=0, max_iterations=3)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(mixture, "SHOW_AFTER", -1)
    model = quiet_fit(x, 2, tol=0, max_iterations=3)
    out, err = capsys.readouterr()
    assert out == ""
    shown = re.findall(r"\rEM (\d)/3: (-?\d+\.\d{4}) nats a row", err)
    wanted = [(str(i + 1), f"{v:.4f}") for i, v in enumerate(model.history)]
    assert shown == wanted
    assert err.endswith("nats a row\n") and err.count("\n") == 1


# The mixture itself


@cache
def triple():
    """Three components far apart, in 3 dimensions."""
    rng = np.random.default_rng(0)
    components = tuple(
        LowRankGaussian(
            np.array([100.0 * i, 0, 0]),
            rng.standard_normal((3, 1)),
            rng.uniform(0.5, 2, size=3),
        )
        for i in range(3)
    )
    return Mixture(np.array([0.2, 0.5, 0.3]), components)


def test_log_prob_and_responsibilities_match_scipy():
    model = Mixture(
        np.array([0.3, 0.7]),
        (
            Gaussian.from_moments(np.zeros(2), np.eye(2)),
            LowRankGaussian(np.ones(2), np.ones((2, 1)), np.array([1.0, 2])),
        ),
    )
    x = locked(3 * np.random.default_rng(0).standard_normal((40, 2)))
    wanted = scipy_log_prob(model, x)
    np.testing.assert_allclose(model.log_prob(x), wanted, rtol=1e-10)
    each = model.component_log_prob(x)
    assert each.shape == (40, 2)
    np.testing.assert_array_equal(each[:, 1], model.components[1].log_prob(x))
    wanted = np.exp(each) * model.weights
    wanted /= wanted.sum(axis=1, keepdims=True)
    got = model.responsibilities(x)
    np.testing.assert_allclose(got, wanted, rtol=1e-9)
    np.testing.assert_array_equal(got, class_posterior(each, model.weights))
    assert model.history == () and model.converged is None


def test_a_component_without_a_density_is_named():
    plane = Gaussian.from_moments(np.zeros(3), np.eye(3), rank=3)
    round_one = Gaussian.from_moments(np.zeros(3), np.eye(3))
    model = Mixture(np.array([0.5, 0.5]), (round_one, plane))
    assert model.sample(4, np.random.default_rng(0)).shape == (4, 3)
    for call in (model.log_prob, model.responsibilities):
        with pytest.raises(ValueError, match="there is no density"):
            call(np.zeros((2, 3)))


@each_moment_kind
def test_components_that_were_fitted_have_a_density(kind):
    model = quiet_fit(digits()[:300], 2, covariance=kind, max_iterations=2)
    assert all(component.has_density for component in model.components)


def test_parameters_are_those_of_the_components_and_the_weights():
    # 3 for the mean, 3 for the loadings, 3 for the noise
    assert triple().n_parameters == 3 * (3 + 3 + 3) + 2
    full = Gaussian.from_moments(np.zeros(50), np.eye(50))
    model = Mixture(np.full(10, 0.1), (full,) * 10)
    assert model.n_parameters == 10 * (1 + 50 + 1275) - 1  # as in lesson 8


def test_a_weight_of_0_is_allowed_and_never_drawn():
    far = Gaussian.from_moments([1000.0], [[1.0]])
    near = Gaussian.from_moments([0.0], [[1.0]])
    model = Mixture([1, 0], [near, far])  # lists will do
    x = model.sample(1000, np.random.default_rng(0))
    assert x.max() < 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(model.log_prob(x), near.log_prob(x))
        resp = model.responsibilities(x)
    np.testing.assert_array_equal(resp[:, 1], 0)


def test_weights_may_be_off_by_a_millionth():
    g = Gaussian.from_moments([0.0], [[1.0]])
    model = Mixture([0.5, 0.5 + 4e-7, 0], (g, g, g))
    assert len(model.sample(10, np.random.default_rng(0))) == 10


def test_far_from_all_components_the_density_does_not_underflow():
    x = np.array([[1e4, 1e4, 1e4]])
    model = triple()
    assert np.isfinite(model.log_prob(x)).all()
    np.testing.assert_allclose(model.responsibilities(x).sum(), 1)


def test_samples_follow_the_weights_in_random_order():
    model, n = triple(), 20_000
    x = model.sample(n, np.random.default_rng(0))
    label = np.rint(x[:, 0] / 100).astype(int)
    for part in (label, label[: n // 4], label[n // 2 :]):
        counts = np.bincount(part, minlength=3)
        wanted = model.weights * len(part)
        distance2 = (np.square(counts - wanted) / wanted).sum()
        assert distance2 < chi2(2).ppf(0.9999)
    repeats = (label[1:] == label[:-1]).mean()
    chance = np.square(model.weights).sum()
    assert abs(repeats - chance) < 5 * 0.5 / n**0.5


def test_sample_moments_are_within_five_standard_errors():
    model, n = triple(), 100_000
    x = model.sample(n, np.random.default_rng(1))
    means = np.stack([c.mean for c in model.components])
    mean = model.weights @ means
    within = np.einsum(
        "k,kij->ij", model.weights, [dense(c) for c in model.components]
    )
    cov = within + np.cov(means.T, aweights=model.weights, ddof=0)
    sd = np.sqrt(np.diag(cov))
    assert (np.abs(x.mean(axis=0) - mean) < 5 * sd / n**0.5).all()
    deviation = x - mean
    products = deviation[:, :, None] * deviation[:, None]
    error = products.std(axis=0) / n**0.5
    assert (np.abs(products.mean(axis=0) - cov) < 5 * error).all()


def test_options_reach_the_components():
    model = triple()
    x = model.sample(60, np.random.default_rng(0), add_noise=False)
    for i, component in enumerate(model.components):
        rows = x[np.rint(x[:, 0] / 100) == i] - component.mean
        assert len(rows) > 3
        assert np.linalg.matrix_rank(rows, tol=1e-9) == 1
    cold = fit_mixture(digits()[:300], 2, np.random.default_rng(0), tol=0.1)
    x = cold.sample(30, np.random.default_rng(0), temperature=0)
    means = [c.mean for c in cold.components]
    np.testing.assert_allclose(np.unique(x, axis=0), sorted(means, key=tuple))


def test_the_same_generator_draws_the_same_rows():
    model = triple()
    a, b = (model.sample(9, np.random.default_rng(3)) for _ in "ab")
    np.testing.assert_array_equal(a, b)
    assert model.sample(0, np.random.default_rng(3)).shape == (0, 3)


# Rows that are awkward


@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_columns_need_a_ridge(kind, dtype):
    x = digits()[:300].astype(dtype)
    x[:, [2, 7]] = 0, 0.3
    model = quiet_fit(x, 3, ridge=1e-3, max_iterations=20, **kind)
    assert np.isfinite(model.log_prob(x)).all()
    for component in model.components:
        variance = np.diag(dense(component))[[2, 7]]
        np.testing.assert_allclose(variance, 1e-3, rtol=1e-2)
    with pytest.raises(ValueError, match="ridge"):
        quiet_fit(x, 3, ridge=0, max_iterations=20, **kind)


@each_kind
def test_a_column_that_is_constant_in_float_only_needs_a_ridge(kind):
    """The mean of 0.3, 0.3, ... need not be 0.3 to the last digit."""
    x = digits()[:300].copy()
    x[:, 4] = 0.3
    with pytest.raises(ValueError, match="ridge"):
        quiet_fit(x, 3, ridge=0, max_iterations=20, **kind)


@each_kind
def test_components_of_equal_rows_live_with_a_ridge(kind):
    """Each of the four distinct rows gets a component of its own."""
    kind = dict(kind, **({"n_factors": 1} if "n_factors" in kind else {}))
    distinct = 5 * np.eye(4)
    x = np.repeat(distinct, [3, 4, 5, 6], axis=0)
    model = quiet_fit(x, 4, ridge=1e-4, **kind)
    means = np.stack([c.mean for c in model.components])
    order = means.argmax(axis=1)
    np.testing.assert_allclose(means, distinct[order], atol=1e-3)
    np.testing.assert_allclose(model.weights, (order + 3) / 18, atol=1e-6)


def test_a_component_that_collapses_without_a_ridge_is_named():
    """Two columns are equal, so that no covariance has an inverse."""
    x = digits()[:300].copy()
    x[:, 5] = x[:, 4] = np.rint(x[:, 4])
    with pytest.raises(ValueError, match="ridge"):
        quiet_fit(x, 3, ridge=0, max_iterations=20)
    model = quiet_fit(x, 3, ridge=1e-3, max_iterations=20)
    assert np.isfinite(model.log_prob(x)).all()


def test_a_component_a_row_does_not_collapse():
    x = digits()[:8]
    model = quiet_fit(x, 8, ridge=0.01)
    np.testing.assert_allclose(model.weights, 1 / 8)
    for component in model.components:
        np.testing.assert_allclose(
            dense(component), 0.01 * np.eye(12), rtol=1e-6, atol=1e-9
        )


def test_whole_numbers_are_worked_in_float64():
    x = np.random.default_rng(0).integers(0, 9, size=(200, 3), dtype=np.uint8)
    a, b = (quiet_fit(rows, 2) for rows in (x, x.astype(float)))
    assert a.history == b.history


def test_one_column():
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(0, 1, 500), rng.normal(20, 2, 500)][:, None]
    model = fit_mixture(x, 2, rng)
    low, high = sorted(model.components, key=lambda c: c.mean[0])
    assert abs(low.mean[0]) < 0.3 and abs(high.mean[0] - 20) < 0.5
    assert abs(low.factor[0, 0] - 1) < 0.2


def test_rows_far_from_the_origin():
    """The rows are centred before anything is squared."""
    x = digits()[:500]
    near = quiet_fit(x, 3, max_iterations=10, tol=0)
    far = quiet_fit(x + 1e6, 3, start=shifted(near, 1e6), max_iterations=2)
    wanted = quiet_fit(x, 3, start=near, max_iterations=2)
    np.testing.assert_allclose(far.history, wanted.history, atol=1e-5)


def shifted(model, by):
    """The same mixture elsewhere."""
    components = [Gaussian(c.mean + by, c.factor) for c in model.components]
    return Mixture(model.weights, tuple(components))


# Bad input

RNG = np.random.default_rng(0)
X = locked(np.random.default_rng(1).standard_normal((30, 3)))
LOW_RANK = {"covariance": "low_rank", "n_factors": 1}


def two(component):
    """Mixture of the same component twice."""
    return Mixture(np.array([0.5, 0.5]), (component, component))


G = Gaussian.from_moments(np.zeros(3), np.eye(3))
G2 = Gaussian.from_moments(np.zeros(2), np.eye(2))
SKEW = Gaussian.from_moments(np.zeros(3), np.eye(3) + 0.5)
PLANE = Gaussian.from_moments(np.zeros(3), np.eye(3), rank=2)
LOW = LowRankGaussian(np.zeros(3), np.ones((3, 1)), np.ones(3))
LOW_2 = LowRankGaussian(np.zeros(3), np.eye(3)[:, :2], np.ones(3))


def fit(x=X, k=2, rng=RNG, **options):
    return fit_mixture(x, k, rng, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit(k=31), "n_components is 31, but x has 30 rows"),
        (lambda: fit(k=0), "n_components must .* got 0"),
        (lambda: fit(k=-1), "n_components must .* got -1"),
        (lambda: fit(k=2.0), "n_components must .* got 2.0"),
        (lambda: fit(k=True), "n_components must .* got True"),
        (lambda: fit(k=None), "n_components must .* got None"),
        (lambda: fit(X[0]), r"x must .* got \(3,\)"),
        (lambda: fit(X[:0]), r"x is empty.* \(0, 3\)"),
        (lambda: fit(X[:, :0]), r"x is empty.* \(30, 0\)"),
        (lambda: fit([[0, np.nan]] * 3), "x holds 3 .* NaN"),
        (lambda: fit([[0, np.inf]] * 3), "x holds 3 .* infinite"),
        (lambda: fit([["a", "b"]] * 3), "x .* <U1"),
        (lambda: fit(X * 1j), "x .* complex128"),
        (lambda: fit(rng=0), "rng must .* got int"),
        (lambda: fit(rng=None), "rng must .* got NoneType"),
        (lambda: fit(rng=np.random), "rng must .* got module"),
        (lambda: fit(ridge=-1), "ridge must .* got -1"),
        (lambda: fit(ridge=np.nan), "ridge must .* got nan"),
        (lambda: fit(ridge=None), "ridge must .* got None"),
        (lambda: fit(tol=-0.1), "tol must .* got -0.1"),
        (lambda: fit(tol=np.nan), "tol must .* got nan"),
        (lambda: fit(max_iterations=0), "max_iterations must .* got 0"),
        (lambda: fit(max_iterations=1.5), "max_iterations must .* got 1.5"),
        (lambda: fit(covariance="round"), "covariance must .* got 'round'"),
        (lambda: fit(covariance=None), "covariance must .* got None"),
        (
            lambda: fit(n_factors=2),
            "n_factors belongs .* 'full' and n_factors 2",
        ),
        (
            lambda: fit(covariance="low_rank"),
            "n_factors belongs .* 'low_rank' and n_factors None",
        ),
        (
            lambda: fit(covariance="low_rank", n_factors=0),
            "n_factors must .* got 0",
        ),
        (
            lambda: fit(covariance="low_rank", n_factors=3),
            "n_factors must .* got 3",
        ),
        (
            lambda: fit(covariance="low_rank", n_factors=1.0),
            "n_factors must .* 1.0",
        ),
        # start
        (lambda: fit(start="kmeans"), "start must be a Mixture, got str"),
        (lambda: fit(start=G), "start must be a Mixture, got Gaussian"),
        (lambda: fit(k=3, start=two(G)), r"start .* \(3, 3\), has \(2, 3\)"),
        (lambda: fit(X[:, :2], start=two(G)), r"start .* \(2, 2\)"),
        (lambda: fit(start=Mixture([1, 0], (G, G))), r"above 0, got \[1 0\]"),
        (lambda: fit(start=two(LOW)), "start"),
        (lambda: fit(start=two(PLANE)), "start"),
        (lambda: fit(start=two(G), **LOW_RANK), "start"),
        (lambda: fit(start=two(LOW_2), **LOW_RANK), "start"),
        (lambda: fit(start=two(SKEW), covariance="diag"), "start"),
        # the mixture
        (lambda: Mixture([], ()), r"weights .* add up to 1, got \[\]"),
        (
            lambda: Mixture([1 / 3] * 3, (G, G)),
            r"weights .* \(2\), got \(3,\)",
        ),
        (lambda: Mixture([0, 0], (G, G)), r"weights .* \[0 0\].* up to 0"),
        (lambda: Mixture([2, -1], (G, G)), r"weights must be >= 0 .* 2 -1"),
        (lambda: Mixture([0.5, 0.49], (G, G)), "weights .* add up to 0.99"),
        (lambda: Mixture([0.5, np.nan], (G, G)), "weights holds 1 .* NaN"),
        (lambda: Mixture(1.0, (G,)), r"weights must have shape \(1\), got"),
        (lambda: Mixture([1], (3,)), r"components\[0\] has no mean.* int"),
        (lambda: Mixture([0.5] * 2, (G, G2)), r"components .*\(2,\), \(3,\)"),
        (lambda: two(G).log_prob(X[0]), r"x must .* got \(3,\)"),
        (lambda: two(LOW).log_prob(X[:, :2]), r"x must .* got \(30, 2\)"),
        (lambda: two(G).responsibilities(X[0]), r"x must .* got \(3,\)"),
        (lambda: two(G).log_prob([[0, 0, np.nan]]), "x holds 1 .* NaN"),
        (lambda: two(G).sample(-1, RNG), "n must .* got -1"),
        (lambda: two(G).sample(1.5, RNG), "n must .* got 1.5"),
        (lambda: two(G).sample(2, 0), "rng must .* got int"),
    ],
)
def test_bad_input_is_named(call, message):
    before = RNG.bit_generator.state
    with pytest.raises(ValueError, match=message):
        call()
    assert RNG.bit_generator.state == before  # nothing was drawn


@pytest.mark.parametrize("kind", KINDS[:3], ids=lambda k: k["covariance"])
def test_fewer_distinct_rows_than_components_are_refused(kind):
    x = np.repeat(X[:4], 10, axis=0)
    with pytest.raises(ValueError, match="is 5, but x has 4 distinct rows"):
        fit_mixture(x, 5, np.random.default_rng(0), **kind)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_responsibilities_are_no_numbers_that_slow_a_product(dtype):
    tiny = np.finfo(dtype).tiny
    gaps = np.linspace(0, -2 * np.log(tiny), 500, dtype=dtype)
    joint = np.stack([0 * gaps, -gaps]) - dtype(1000)
    before = joint.astype(np.float64)
    log_prob = em.to_responsibilities(joint)
    assert joint.dtype == dtype
    assert not ((joint > 0) & (joint < np.sqrt(tiny) / 3)).any()
    exact = np.exp(before - logsumexp(before, axis=0))
    near = exact > 2 * np.sqrt(float(tiny))
    few = 20 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(joint[near], exact[near], rtol=400 * few)
    assert (joint[exact < np.sqrt(float(tiny)) / 3] == 0).all()
    expected = logsumexp(before, axis=0).sum()
    assert log_prob == pytest.approx(expected, rel=few)
