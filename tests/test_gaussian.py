"""The Gaussian against SciPy, scikit-learn, mpmath and the theory."""

from functools import cache

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, kstest, multivariate_normal, norm
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from utils.data import load_mnist, preprocess
from utils.gaussian import (
    Gaussian,
    class_posterior,
    conditional,
    ridge_log_prob,
)
from utils.statistics import class_statistics

few = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def locked(*arrays):
    """The same arrays, such that writing to them raises."""
    for array in arrays:
        array.flags.writeable = False
    return arrays if len(arrays) > 1 else arrays[0]


def random_cov(rng, d, n=None):
    """A covariance of rank min(d, n), with very different variances."""
    a = rng.standard_normal((d, n or d + 2))
    a *= 10.0 ** rng.uniform(-1, 1, size=(d, 1))
    return a @ a.T


@st.composite
def problems(draw, least_d=1, most_d=7):
    """Generator, mean and covariance, both read-only."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d = draw(st.integers(least_d, most_d))
    mean = rng.standard_normal(d) * 10
    return rng, *locked(mean, random_cov(rng, d))


@cache
def threes():
    """Mean and covariance of the real digit 3, and test digits."""
    (x, y), (x_test, _) = load_mnist()
    stats = class_statistics(x[y == 3], np.zeros(6131, int), 1)
    mean, cov = stats.mean[0] / 255, stats.cov(0) / 255**2
    return locked(mean, cov, preprocess(x_test[:200]))


# Fitting


@few
@given(problems(), st.floats(0, 100))
def test_factor_is_a_lower_triangular_root(problem, ridge):
    _, mean, cov = problem
    g = Gaussian.from_moments(mean, cov, ridge=ridge)
    wanted = cov + ridge * np.eye(len(cov))
    np.testing.assert_array_equal(np.triu(g.factor, 1), 0)
    assert (np.diag(g.factor) > 0).all()
    np.testing.assert_allclose(
        g.factor @ g.factor.T, wanted, rtol=1e-10, atol=1e-12 * wanted.max()
    )
    np.testing.assert_array_equal(g.mean, mean)


@few
@given(problems(), st.data())
def test_rank_keeps_the_leading_eigenvectors(problem, data):
    _, mean, cov = problem
    rank = data.draw(st.integers(1, len(mean)))
    g = Gaussian.from_moments(mean, cov, rank=rank)
    assert g.factor.shape == (len(mean), rank)
    u, s, vt = np.linalg.svd(cov)  # the best approximation of this rank
    wanted = (u[:, :rank] * s[:rank]) @ vt[:rank]
    np.testing.assert_allclose(
        g.factor @ g.factor.T, wanted, rtol=0, atol=1e-10 * s[0]
    )
    largest = np.abs(g.factor).argmax(axis=0)
    assert (g.factor[largest, np.arange(rank)] > 0).all()


@pytest.mark.slow
def test_rank_takes_a_singular_covariance_of_real_digits():
    mean, cov, _ = threes()
    assert np.linalg.matrix_rank(cov) < 600
    g = Gaussian.from_moments(mean, cov, rank=784)
    np.testing.assert_allclose(g.factor @ g.factor.T, cov, atol=1e-12)
    with pytest.raises(ValueError, match="cov is not positive definite"):
        Gaussian.from_moments(mean, cov)
    single = Gaussian.from_moments(
        mean.astype(np.float32), cov.astype(np.float32), rank=50
    )
    wanted = Gaussian.from_moments(mean, cov, rank=50).factor
    np.testing.assert_allclose(single.factor, wanted, atol=1e-3)


def test_a_zero_covariance_draws_the_mean():
    g = Gaussian.from_moments(np.arange(3.0), np.zeros((3, 3)), rank=2)
    x = g.sample(4, np.random.default_rng(0))
    np.testing.assert_array_equal(x, np.tile(np.arange(3.0), (4, 1)))


# Whether there is a density


@pytest.mark.parametrize(
    "cov", [np.diag([1.0, 2, 3]), np.eye(3) + 0.5], ids=["diagonal", "full"]
)
def test_the_way_it_was_made_decides_on_a_density(cov):
    """By rank there is none, even if the factor would do as one."""
    x = np.zeros((2, 3))
    g = Gaussian.from_moments(np.zeros(3), cov)
    assert g.has_density and np.isfinite(g.log_prob(x)).all()
    for rank in (2, 3):
        g = Gaussian.from_moments(np.zeros(3), cov, rank=rank)
        assert not g.has_density
        with pytest.raises(ValueError, match="there is no density"):
            g.log_prob(x)
    triangular = Gaussian(np.zeros(3), np.eye(3), has_density=False)
    with pytest.raises(ValueError, match="there is no density"):
        triangular.log_prob(x)


def test_a_factor_is_looked_at_once(monkeypatch):
    g = Gaussian(np.zeros(2), [[1, 0], [2, 3]])
    monkeypatch.setattr(np, "triu", None)
    np.testing.assert_allclose(
        g.log_prob([[1.0, 2]]),
        multivariate_normal([0, 0], [[1, 2], [2, 13]]).logpdf([1, 2]),
    )


# Counting


@pytest.mark.parametrize(
    ("d", "rank", "wanted"),
    [
        (1, None, 1 + 1),
        (3, None, 3 + 6),
        (784, None, 308_504),
        (3, 1, 3 + 3),  # a direction, and its length
        (3, 2, 3 + 3 + 2),  # the second is at right angles to the first
        (3, 3, 3 + 6),
    ],
)
def test_parameters_are_counted_as_by_hand(d, rank, wanted):
    g = Gaussian.from_moments(np.zeros(d), np.eye(d), rank=rank)
    assert g.n_parameters == wanted


# Sampling


class Identity(np.random.Generator):
    """Its standard normal draws are the rows of the identity matrix."""

    def standard_normal(self, shape):
        return np.eye(*shape)


@pytest.mark.parametrize("options", [{"ridge": 0.5}, {"rank": 3}, {}])
def test_sampler_applies_the_factor_and_not_its_transpose(options):
    rng = np.random.default_rng(0)
    mean, cov = locked(rng.standard_normal(4), random_cov(rng, 4))
    g = Gaussian.from_moments(mean, cov, **options)
    rank = g.factor.shape[1]
    x = g.sample(rank, Identity(np.random.PCG64(0))) - mean
    # row i is the image of unit vector i: column i of the factor
    np.testing.assert_allclose(x, g.factor.T, rtol=0, atol=1e-12)
    wanted = g.factor @ g.factor.T
    np.testing.assert_allclose(x.T @ x, wanted, atol=1e-9)
    if rank == 4:  # the transpose would show
        assert np.abs(g.factor.T @ g.factor - wanted).max() > 0.1


def test_sample_moments_are_within_five_standard_errors():
    rng = np.random.default_rng(0)
    n, d = 100_000, 4
    mean, cov = rng.standard_normal(d), random_cov(rng, d)
    x = Gaussian.from_moments(mean, cov).sample(n, np.random.default_rng(1))
    error = np.abs(x.mean(axis=0) - mean)
    assert (error < 5 * np.sqrt(np.diag(cov) / n)).all()
    variances = np.diag(cov)
    # variance of an entry of a Wishart matrix
    spread = np.sqrt((np.outer(variances, variances) + cov**2) / n)
    assert (np.abs(np.cov(x, rowvar=False) - cov) < 5 * spread).all()


def test_sample_mahalanobis_distances_are_chi_square():
    rng = np.random.default_rng(2)
    d = 6
    mean, cov = rng.standard_normal(d), random_cov(rng, d)
    x = Gaussian.from_moments(mean, cov).sample(20_000, rng) - mean
    distance2 = np.einsum("ni,in->n", x, np.linalg.solve(cov, x.T))
    assert kstest(distance2, chi2(d).cdf).pvalue > 1e-3
    for direction in rng.standard_normal((3, d)):
        sd = np.sqrt(direction @ cov @ direction)
        assert kstest(x @ direction, norm(0, sd).cdf).pvalue > 1e-3


def test_low_rank_samples_fill_their_subspace_and_no_more():
    rng = np.random.default_rng(3)
    d, rank = 8, 3
    mean, cov = rng.standard_normal(d), random_cov(rng, d, n=5)
    x = Gaussian.from_moments(mean, cov, rank=rank).sample(20_000, rng) - mean
    variance, vectors = np.linalg.eigh(cov)
    along = x @ vectors[:, -rank:] / np.sqrt(variance[-rank:])
    across = x @ vectors[:, :-rank]
    assert np.abs(across).max() < 1e-9 * np.abs(x).max()
    assert kstest((along**2).sum(axis=1), chi2(rank).cdf).pvalue > 1e-3


@pytest.mark.slow
def test_real_digits_distances_are_chi_square():
    mean, cov, _ = threes()
    g = Gaussian.from_moments(mean, cov, ridge=0.01)
    x = g.sample(500, np.random.default_rng(4)) - mean
    distance2 = np.einsum(
        "ni,in->n", x, np.linalg.solve(cov + 0.01 * np.eye(784), x.T)
    )
    assert kstest(distance2, chi2(784).cdf).pvalue > 1e-3


def test_same_seed_same_sample():
    g = Gaussian.from_moments(np.zeros(3), np.eye(3))
    first, again, other = (
        g.sample(5, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    assert g.sample(0, np.random.default_rng(0)).shape == (0, 3)


@pytest.mark.parametrize("temperature", [0, 0.5, 1, 2])
def test_temperature_scales_the_deviation(temperature):
    rng = np.random.default_rng(5)
    mean, cov = rng.standard_normal(3), random_cov(rng, 3)
    g = Gaussian.from_moments(mean, cov)
    x = g.sample(7, np.random.default_rng(0))
    warm = g.sample(7, np.random.default_rng(0), temperature=temperature)
    np.testing.assert_allclose(warm, mean + temperature * (x - mean))


# Density


@few
@given(problems(), st.integers(1, 5), st.floats(0, 10))
def test_log_prob_matches_scipy(problem, n, ridge):
    rng, mean, cov = problem
    x = locked(mean + 20 * rng.standard_normal((n, len(mean))))
    g = Gaussian.from_moments(mean, cov, ridge=ridge)
    wanted = multivariate_normal.logpdf(
        x, mean, cov + ridge * np.eye(len(cov))
    )
    got = g.log_prob(x)
    assert got.shape == (n,) and got.dtype == np.float64
    np.testing.assert_allclose(got, np.atleast_1d(wanted), rtol=1e-6)


@pytest.mark.parametrize("ridge", [1.0, 1e-3, 1e-8])
def test_log_prob_matches_mpmath(ridge):
    """A nearly singular covariance, in fifty digits."""
    rng = np.random.default_rng(6)
    mean, cov = rng.standard_normal(4), random_cov(rng, 4, n=2)
    cov = (cov + cov.T) / 2
    x = mean + rng.standard_normal((3, 4))
    with mpmath.workdps(50):
        c = mpmath.matrix((cov + ridge * np.eye(4)).tolist())
        wanted = []
        for row in x:
            u = mpmath.matrix(row.tolist()) - mpmath.matrix(mean.tolist())
            distance2 = (u.T * mpmath.inverse(c) * u)[0]
            log_det = mpmath.log(mpmath.det(c))
            constant = 4 * mpmath.log(2 * mpmath.pi)
            wanted.append(float(-(distance2 + log_det + constant) / 2))
    got = Gaussian.from_moments(mean, cov, ridge=ridge).log_prob(x)
    condition = 1e-16 * cov.max() / ridge
    np.testing.assert_allclose(got, wanted, rtol=1e-12 + 100 * condition)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ridge", "atol"),
    [(0.1, 1e-4), (0.01, 1e-3)],  # nats, of some 500
)
def test_log_prob_of_real_digits(ridge, atol):
    mean, cov, x = threes()
    wanted = multivariate_normal.logpdf(x, mean, cov + ridge * np.eye(784))
    g = Gaussian.from_moments(mean, cov, ridge=ridge)
    np.testing.assert_allclose(g.log_prob(x.astype(float)), wanted, rtol=1e-9)
    assert x.dtype == np.float32
    np.testing.assert_allclose(g.log_prob(x), wanted, rtol=0, atol=atol)
    np.testing.assert_allclose(
        g.log_prob(np.asfortranarray(x)), wanted, rtol=0, atol=atol
    )


def test_log_prob_takes_whole_numbers():
    g = Gaussian.from_moments(np.array([1, 2]), np.eye(2))
    x = np.array([[0, 3], [1, 2]], np.uint8)
    wanted = multivariate_normal.logpdf(x, [1, 2])
    np.testing.assert_allclose(g.log_prob(x), wanted)


# Many ridges at once


@few
@given(
    problems(),
    st.lists(st.floats(0, 100), min_size=1, max_size=4),
    st.integers(1, 5),
)
def test_ridge_log_prob_matches_scipy(problem, ridges, n):
    rng, mean, cov = problem
    x = locked(mean + 20 * rng.standard_normal((n, len(mean))))
    wanted = [
        np.atleast_1d(
            multivariate_normal.logpdf(
                x, mean, cov + ridge * np.eye(len(cov)), allow_singular=True
            )
        )
        for ridge in ridges
    ]
    got = ridge_log_prob(mean, cov, x, locked(np.array(ridges)))
    assert got.shape == (len(ridges), n) and got.dtype == np.float64
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


RIDGES = np.array([1.0, 1e-5, 0.01, 1e-3])  # in no order


def test_ridge_log_prob_of_a_singular_covariance():
    """Half the directions have the ridge as their only variance."""
    rng = np.random.default_rng(9)
    mean, cov = rng.standard_normal(6), random_cov(rng, 6, n=3)
    x = mean + rng.standard_normal((4, 6))
    wanted = [
        multivariate_normal.logpdf(x, mean, cov + ridge * np.eye(6))
        for ridge in RIDGES
    ]
    got = ridge_log_prob(mean, cov, x, RIDGES)
    np.testing.assert_allclose(got, wanted, rtol=1e-9)
    with pytest.raises(ValueError, match="cov is not .* ridge of 0;"):
        ridge_log_prob(mean, cov, x, [1, 0])


@pytest.mark.slow
def test_ridge_log_prob_of_real_digits():
    mean, cov, x = threes()
    wanted = np.array(
        [
            Gaussian.from_moments(mean, cov, r).log_prob(x.astype(float))
            for r in RIDGES
        ]
    )
    got = ridge_log_prob(mean, cov, x.astype(float), RIDGES)
    np.testing.assert_allclose(got, wanted, rtol=1e-8)
    assert x.dtype == np.float32
    single = ridge_log_prob(mean, cov, x, RIDGES)
    assert single.dtype == np.float64
    atol = [[1e-3], [1.0], [1e-3], [1e-2]]  # nats, of some 500 to 500,000
    assert (np.abs(single - wanted) < atol).all()
    # too small for eigenvalues, not for factors: in both orders of the pixels
    got = ridge_log_prob(mean, cov, x.astype(float), [1e-16])
    back = Gaussian.from_moments(mean[::-1], cov[::-1, ::-1], 1e-16)
    wanted = back.log_prob(x[:, ::-1].astype(float))
    np.testing.assert_allclose(got[0], wanted, rtol=1e-3)
    with pytest.raises(ValueError, match="cov is not .* of 1e-30;"):
        ridge_log_prob(mean, cov, x, [1e-30])


def test_a_mean_far_from_float32_is_not_rounded():
    """The rows are; the mean keeps its own digits."""
    mean = np.array([1 + 2.0**-30, -3 - 2.0**-29])
    x = np.nextafter(mean.astype(np.float32), np.float32(9))[None]
    got = ridge_log_prob(mean, np.zeros((2, 2)), x, [2.0**-50])
    wanted = multivariate_normal.logpdf(x, mean, 2.0**-50 * np.eye(2))
    np.testing.assert_allclose(got[0, 0], wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("cov", "ridge"),
    [(np.ones((2, 2)), 3e-16), (-np.eye(2), 1 + 2.0**-52)],
)
def test_a_ridge_lost_in_rounding_is_refused(cov, ridge):
    mean, x = np.zeros(2), np.ones((1, 2))
    with pytest.raises(ValueError, match="cov is not positive definite"):
        ridge_log_prob(mean, cov, x, [ridge])
    with pytest.raises(ValueError, match="cov is not positive definite"):
        Gaussian.from_moments(mean, cov, ridge)
    ridge += 1e-14
    got = ridge_log_prob(mean, cov, x, [ridge])
    variance = np.linalg.eigvalsh(cov) + ridge
    first, last = np.sqrt(variance)  # along (1, -1) and along (1, 1)
    wanted = norm(0, first).logpdf(0) + norm(0, last).logpdf(2**0.5)
    if cov[0, 1] == 0:
        wanted = norm(0, first).logpdf(1) + norm(0, last).logpdf(1)
    np.testing.assert_allclose(got[0, 0], wanted, rtol=0.01)


def accepts(call, *args, **options):
    """Whether it takes a covariance, or says that it is singular."""
    try:
        call(*args, **options)
    except ValueError as error:
        assert "is not positive definite" in str(error)
        return False
    return True


SUM = np.vstack([np.eye(3), [1, 1, 0]])  # the fourth is the sum of two


@pytest.mark.parametrize("from_rows", [False, True])
def test_a_coordinate_that_is_the_sum_of_others_is_refused(from_rows):
    """In each of 200 cases, by all who factorise, as by SciPy."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        a = rng.standard_normal((3, 20 if from_rows else 3))
        cov = SUM @ (a @ a.T) @ SUM.T
        if from_rows:
            cov = np.cov(SUM @ a, ddof=0)
        mean, x, known = np.zeros(4), np.ones((1, 4)), np.arange(5) < 4
        wide = np.block([[cov, np.zeros((4, 1))], [np.zeros((1, 4)), 1]])
        assert not accepts(Gaussian.from_moments, mean, cov)
        assert not accepts(ridge_log_prob, mean, cov, x, [0])
        assert not accepts(conditional, np.zeros(5), wide, known, x)
        with pytest.raises(np.linalg.LinAlgError):
            multivariate_normal(mean, cov, allow_singular=False)
        cov[3, 3] += 1e-6 * cov[3, 3]  # something of its own
        assert accepts(Gaussian.from_moments, mean, cov)


@few
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(0, 12),
    st.floats(-12, 12),
    st.booleans(),
    st.sampled_from([np.float32, np.float64]),
)
def test_full_rank_is_accepted_and_less_refused(
    seed, d, rank, scale, uneven, dtype
):
    """At any scale, of all coordinates or of each."""
    rng = np.random.default_rng(seed)
    rank = min(rank, d - 1)
    spread = 10.0 ** (rng.uniform(-6, 6, d) if uneven else scale)
    whole = rng.standard_normal((d, 4 * d + 8))
    less = rng.standard_normal((d, rank))
    known, values = np.arange(d + 1) < d, np.zeros((1, d), dtype)
    for root in (whole, less):
        cov = (root @ root.T * spread * np.reshape(spread, (-1, 1))).astype(
            dtype
        )
        cov = (cov + cov.T) / 2
        wide = np.pad(cov, (0, 1))
        wide[d, d] = cov.max()
        wanted = root is whole
        mean = np.zeros(d, dtype)
        assert accepts(Gaussian.from_moments, mean, cov) is wanted
        assert accepts(ridge_log_prob, mean, cov, values, [0]) is wanted
        if root is whole or rank:
            got = accepts(conditional, np.zeros(d + 1), wide, known, values)
            assert got is wanted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_variances_of_very_different_units_are_positive_definite(dtype):
    variance = np.array([1e-12, 1, 1e12], dtype)
    if dtype == np.float64:
        variance **= 20
    got = Gaussian.from_moments(np.zeros(3), np.diag(variance))
    np.testing.assert_allclose(np.diag(got.factor) ** 2, variance, rtol=1e-5)
    wanted = norm(0, np.sqrt(variance)).logpdf(0).sum()
    same = ridge_log_prob(
        np.zeros(3), np.diag(variance), np.zeros((1, 3)), [0]
    )
    np.testing.assert_allclose(got.log_prob(np.zeros((1, 3))), wanted)
    np.testing.assert_allclose(same[0], wanted)


def test_no_ridges_give_no_rows():
    got = ridge_log_prob(np.zeros(2), np.eye(2), np.eye(2), [])
    assert got.shape == (0, 2)


# Conditional


@few
@given(problems(least_d=2), st.data())
def test_conditional_is_the_ratio_of_two_densities(problem, data):
    rng, mean, cov = problem
    d = len(mean)
    known = np.zeros(d, bool)
    some = data.draw(st.sets(st.integers(0, d - 1), min_size=1, max_size=d))
    known[list(some)[: d - 1]] = True
    locked(known)
    x = mean + 5 * rng.standard_normal((3, d))
    new_mean, new_cov = conditional(mean, cov, known, locked(x[:, known]))
    assert new_mean.shape == (3, (~known).sum())
    np.testing.assert_array_equal(new_cov, new_cov.T)
    joint = multivariate_normal.logpdf(x, mean, cov)
    marginal = multivariate_normal.logpdf(
        x[:, known], mean[known], cov[np.ix_(known, known)]
    )
    got = [
        multivariate_normal.logpdf(row, m, new_cov)
        for row, m in zip(x[:, ~known], new_mean, strict=True)
    ]
    np.testing.assert_allclose(got, joint - marginal, rtol=1e-6, atol=1e-6)


def test_conditional_agrees_with_simulation():
    """Rows that happen to come near a value, against the formula."""
    mean = np.array([1.0, -1.0])
    cov = np.array([[2.0, 1.2], [1.2, 1.0]])
    rng = np.random.default_rng(7)
    x = rng.multivariate_normal(mean, cov, size=400_000)
    near = x[np.abs(x[:, 1] - 0.5) < 0.01, 0]
    new_mean, new_cov = conditional(
        mean, cov, np.array([False, True]), np.array([[0.5]])
    )
    sd = np.sqrt(new_cov[0, 0])
    assert abs(near.mean() - new_mean[0, 0]) < 5 * sd / np.sqrt(len(near))
    assert abs(near.std() / sd - 1) < 5 / np.sqrt(2 * len(near))


def test_conditional_of_blank_unknown_pixels():
    """Half a digit given the other half; some pixels never vary."""
    mean, cov, x = threes()
    known = np.arange(784) < 392
    with pytest.raises(ValueError, match="known coordinates"):
        conditional(mean, cov, known, x[:2, known])
    c = cov.copy()
    c[known, known] += 0.01  # the known half is regular, the other is not
    new_mean, new_cov = conditional(mean, c, known, x[:2, known])
    assert new_mean.shape == (2, 392)
    variance = np.linalg.eigvalsh(new_cov)
    assert variance[0] > -1e-12
    assert np.trace(new_cov) < np.trace(cov[392:, 392:])
    g = Gaussian.from_moments(
        new_mean[0], new_cov, rank=100
    )  # it can be drawn from
    assert np.isfinite(g.sample(3, np.random.default_rng(0))).all()


# Bayes' rule


def test_class_posterior_matches_scikit_learn():
    rng = np.random.default_rng(8)
    y = np.repeat([0, 1, 2], [40, 70, 90])
    x = rng.standard_normal((200, 3)) * (1 + y[:, None]) + y[:, None]
    qda = QuadraticDiscriminantAnalysis(store_covariance=True).fit(x, y)
    # its covariances: the divisor, n or n - 1, changed between versions
    log_prob = np.column_stack(
        [
            Gaussian.from_moments(mean, cov).log_prob(x)
            for mean, cov in zip(qda.means_, qda.covariance_, strict=True)
        ]
    )
    got = class_posterior(locked(log_prob), locked(np.array([40, 70, 90])))
    np.testing.assert_allclose(got, qda.predict_proba(x), atol=1e-10)
    np.testing.assert_allclose(got.sum(axis=1), 1, rtol=1e-12)


@few
@given(
    st.lists(st.floats(-1e5, 1e5), min_size=2, max_size=4),
    st.integers(0, 100),
)
def test_class_posterior_matches_mpmath(log_prob, seed):
    prior = np.random.default_rng(seed).random(len(log_prob)) + 0.01
    with mpmath.workdps(60):
        joint = [
            mpmath.exp(mpmath.mpf(a)) * mpmath.mpf(b)
            for a, b in zip(log_prob, prior.tolist(), strict=True)
        ]
        wanted = [float(j / sum(joint)) for j in joint]
    got = class_posterior([log_prob], prior)[0]
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-300)


def test_class_posterior_with_impossible_classes():
    log_prob = [[0.0, -np.inf, 0.0], [-np.inf, 3.0, -np.inf]]
    got = class_posterior(log_prob, [1, 1, 3])
    np.testing.assert_allclose(got, [[0.25, 0, 0.75], [0, 1, 0]])
    np.testing.assert_array_equal(
        class_posterior([[0.0, 5.0]], [1, 0]), [[1, 0]]
    )


# Bad input

M, C = locked(np.zeros(2), np.eye(2))
INDEFINITE = np.array([[1.0, 2.0], [2.0, 1.0]])
G, LOW = (
    Gaussian.from_moments(M, C),
    Gaussian.from_moments(M, np.ones((2, 2)), rank=1),
)
RNG = np.random.default_rng(0)
FIRST = np.array([True, False])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        # Gaussian
        (lambda: Gaussian.from_moments(C, C), r"mean must .* got \(2, 2\)"),
        (lambda: Gaussian.from_moments(0.0, C), r"mean must .* got \(\)"),
        (lambda: Gaussian.from_moments([0, [1]], C), "mean is not an array"),
        (lambda: Gaussian.from_moments([0, np.nan], C), "mean holds 1 .* NaN"),
        (lambda: Gaussian.from_moments(["a", "b"], C), "mean .* <U1"),
        (lambda: Gaussian.from_moments(M, M), r"cov must .* got \(2,\)"),
        (
            lambda: Gaussian.from_moments(M, np.eye(3)),
            r"cov must .* \(2, 2\), got \(3, 3\)",
        ),
        (lambda: Gaussian.from_moments(M, C[:1]), r"cov must .* got \(1, 2\)"),
        (
            lambda: Gaussian.from_moments([], np.eye(0)),
            r"cov must .* \(0, 0\)",
        ),
        (
            lambda: Gaussian.from_moments(M, C + np.inf),
            "cov holds 4 .* NaN or inf",
        ),
        (lambda: Gaussian.from_moments(M, C * 1j), "cov .* complex128"),
        (
            lambda: Gaussian.from_moments(M, [[1.0, 2], [0, 1]]),
            "cov is not symm.* 2",
        ),
        (
            lambda: Gaussian.from_moments(M, [[1, 1e-9], [0, 1]]),
            "cov is not symm.* 1e-09",
        ),
        (
            lambda: Gaussian.from_moments(M, INDEFINITE),
            "cov is not .* ridge of 0;",
        ),
        (
            lambda: Gaussian.from_moments(M, INDEFINITE, 0.9),
            "cov is not .* of 0.9;",
        ),
        (
            lambda: Gaussian.from_moments(M, C * 0),
            "cov is not positive definite",
        ),
        (
            lambda: Gaussian.from_moments(M, -C, rank=1),
            "cov has a negative eigen",
        ),
        (
            # the eigenvalue that is kept is positive
            lambda: Gaussian.from_moments(M, np.diag([1.0, -1e-6]), rank=1),
            "cov has a negative eigenvalue",
        ),
        (
            lambda: Gaussian.from_moments(M, C, ridge=-1),
            "ridge must .* got -1",
        ),
        (
            lambda: Gaussian.from_moments(M, C, ridge=np.nan),
            "ridge must .* got nan",
        ),
        (
            lambda: Gaussian.from_moments(M, C, ridge=np.inf),
            "ridge must .* got inf",
        ),
        (
            lambda: Gaussian.from_moments(M, C, ridge="1"),
            "ridge must .* got '1'",
        ),
        (
            lambda: Gaussian.from_moments(M, C, ridge=None),
            "ridge must .* got None",
        ),
        (lambda: Gaussian.from_moments(M, C, rank=0), "rank must .* got 0"),
        (lambda: Gaussian.from_moments(M, C, rank=-1), "rank must .* got -1"),
        (
            lambda: Gaussian.from_moments(M, C, rank=1.0),
            "rank must .* got 1.0",
        ),
        (
            lambda: Gaussian.from_moments(M, C, rank=True),
            "rank must .* got True",
        ),
        (
            lambda: Gaussian.from_moments(M, C, rank=3),
            "rank must .* got rank 3",
        ),
        (lambda: Gaussian.from_moments(M, C, 0.5, 1), "rank 1 and ridge 0.5"),
        # as it is made
        (lambda: Gaussian(C, C), r"mean must .* got \(2, 2\)"),
        (lambda: Gaussian([0, np.nan], C), "mean holds 1 .* NaN"),
        (lambda: Gaussian(M, M), r"factor must .* got \(2,\)"),
        (lambda: Gaussian(M, np.eye(3)), r"factor must .* got \(3, 3\)"),
        (lambda: Gaussian(M, C + np.inf), "factor holds .* infinite"),
        (lambda: Gaussian(M, C[:, :1]), r"factor, of shape \(2, 1\), is not"),
        (lambda: Gaussian(M, [[1, 1e-9], [0, 1]]), "is not lower triang"),
        (lambda: Gaussian(M, np.diag([1.0, 0])), "positive diagonal"),
        (lambda: Gaussian(M, np.diag([1.0, -1])), "positive diagonal"),
        # sample
        (lambda: G.sample(-1, RNG), "n must .* got -1"),
        (lambda: G.sample(1.5, RNG), "n must .* got 1.5"),
        (lambda: G.sample(2.0, RNG), "n must .* got 2.0"),
        (lambda: G.sample(True, RNG), "n must .* got True"),
        (lambda: G.sample(None, RNG), "n must .* got None"),
        (lambda: G.sample(1, 0), "rng must .* got int"),
        (lambda: G.sample(1, np.random), "rng must .* got module"),
        (lambda: G.sample(1, RNG, -1), "temperature must .* got -1"),
        (lambda: G.sample(1, RNG, np.nan), "temperature must .* got nan"),
        (lambda: G.sample(1, RNG, "hot"), "temperature must .* got 'hot'"),
        # log_prob
        (lambda: G.log_prob(M), r"x must .* got \(2,\)"),
        (lambda: G.log_prob(np.zeros((1, 3))), r"x must .* got \(1, 3\)"),
        (lambda: G.log_prob(np.zeros((0, 2))), r"x is empty.* \(0, 2\)"),
        (lambda: G.log_prob([[0, np.nan]]), "x holds 1 .* NaN"),
        (lambda: G.log_prob([[0, -np.inf]]), "x holds 1 .* infinite"),
        (lambda: G.log_prob([["a", "b"]]), "x .* <U1"),
        (lambda: LOW.log_prob(C), "there is no density"),
        # ridge_log_prob
        (lambda: ridge_log_prob(C, C, C, [1]), r"mean must .* \(2, 2\)"),
        (lambda: ridge_log_prob(M, M, C, [1]), r"cov must .* got \(2,\)"),
        (
            lambda: ridge_log_prob(M, [[1.0, 2], [0, 1]], C, [1]),
            "cov is not symm.* 2",
        ),
        (lambda: ridge_log_prob(M, C, M, [1]), r"x must .* got \(2,\)"),
        (lambda: ridge_log_prob(M, C, np.eye(3), [1]), r"x .* \(3, 3\)"),
        (lambda: ridge_log_prob(M, C, C[:0], [1]), "x is empty"),
        (lambda: ridge_log_prob(M, C, [[0, np.nan]], [1]), "x holds 1"),
        (lambda: ridge_log_prob(M, C, C, 1.0), r"ridges .* got \(\)"),
        (lambda: ridge_log_prob(M, C, C, [np.nan]), "ridges holds 1 .* NaN"),
        (
            lambda: ridge_log_prob(M, INDEFINITE, C, [2, 0.5, 3]),
            "cov is not positive definite with a ridge of 0.5;",
        ),
        (lambda: ridge_log_prob(M, INDEFINITE, C, [1]), "a ridge of 1;"),
        (lambda: ridge_log_prob(M, C, C, [-1.5]), "a ridge of -1.5;"),
        # conditional
        (lambda: conditional(C, C, FIRST, [[0.0]]), r"mean .* \(2, 2\)"),
        (lambda: conditional(M, M, FIRST, [[0.0]]), r"cov .* \(2,\)"),
        (lambda: conditional(M, C, [0, 1], [[0.0]]), "known .* int64"),
        (lambda: conditional(M, C, FIRST[:1], [[0.0]]), r"known .* \(1,\)"),
        (
            lambda: conditional(M, C, FIRST, [[0.0, 1]]),
            r"values must .* got \(1, 2\)",
        ),
        (lambda: conditional(M, C, FIRST, [0.0]), r"values .* \(1,\)"),
        (lambda: conditional(M, C, FIRST, [[np.nan]]), "values holds 1"),
        (
            lambda: conditional(M, C, ~FIRST & FIRST, np.zeros((1, 0))),
            r"values is empty.* \(1, 0\)",
        ),
        (
            lambda: conditional(M, INDEFINITE, FIRST, [[0.0]]),
            "cov has a negative eigenvalue",
        ),
        (
            lambda: conditional(M, np.diag([0.0, 1]), FIRST, [[0.0]]),
            "cov is not positive definite on the known",
        ),
        # class_posterior
        (lambda: class_posterior(M, [1, 1]), r"log_prob .* \(2,\)"),
        (lambda: class_posterior([["a", "b"]], [1, 1]), "log_prob .* <U1"),
        (lambda: class_posterior([[0, np.nan]], [1, 1]), "log_prob: 1 rows"),
        (
            lambda: class_posterior(np.full((3, 2), -np.inf), [1, 1]),
            "log_prob: 3 rows fit no class",
        ),
        (
            lambda: class_posterior([[0.0, -np.inf]], [0, 1]),
            "log_prob: 1 rows fit no class",
        ),
        (lambda: class_posterior(C, [1, 1, 1]), r"prior must .* got \(3,\)"),
        (lambda: class_posterior(C, [1, -1]), r"prior must .* \[ 1 -1\]"),
        (lambda: class_posterior(C, [0, 0]), r"prior must .* \[0 0\]"),
        (lambda: class_posterior(C, [1, np.nan]), "prior holds 1 .* NaN"),
    ],
)
def test_bad_input_is_named(call, message):
    before = RNG.bit_generator.state
    with pytest.raises(ValueError, match=message):
        call()
    assert RNG.bit_generator.state == before  # nothing was drawn
