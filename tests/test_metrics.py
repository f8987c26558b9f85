"""The scores against exact values, SciPy, brute force and theory."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group, wasserstein_distance

from utils.scores import metrics
from utils.scores.metrics import (
    bits_per_dim,
    class_consistency,
    copied_share,
    frechet_distance,
    nearest_distance,
    neighbour_scores,
    tone_difference,
)

few = settings(derandomize=True, deadline=None, max_examples=40, database=None)


# Bits per dimension


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


@few
@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_a_discrete_model_scores_its_exact_code_length(lengths):
    """A level of probability 2^-k has a code word of k bits."""
    log_prob = -np.log(2) * np.array([sum(lengths)])
    wanted = float(Fraction(sum(lengths), len(lengths)))
    for n_levels in (2, 256):  # of no account here
        score = bits_per_dim(log_prob, len(lengths), n_levels, discrete=True)
        np.testing.assert_allclose(score, [wanted], rtol=1e-14)


def test_a_discrete_model_scores_less_than_its_uneven_density():
    """Jensen: dequantised, a code costs what the levels do, or more."""
    weights = np.random.default_rng(0).dirichlet(np.ones(12)).reshape(4, 3)
    # a density with three steps within each of four levels
    density = bits_per_dim(np.log(12 * weights).ravel(), 1, 4)
    levels = np.log(weights.sum(axis=1))
    score = bits_per_dim(levels, 1, 4, discrete=True)
    assert (score < density.reshape(4, 3).mean(axis=1)).all()


def test_a_sure_discrete_model_needs_no_bits():
    score = bits_per_dim([0.0, 0.0], d=3, discrete=True)
    np.testing.assert_array_equal(score, [0, 0])


def test_a_discrete_probability_above_one_is_refused():
    with pytest.raises(ValueError, match="log_prob .* at most 0, got 0.25"):
        bits_per_dim([-1, 0.25], d=3, discrete=True)
    bits_per_dim([-1, 0.25], d=3)  # a density may exceed 1


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
def test_bad_input_of_bits_per_dim_is_named(args, message):
    with pytest.raises(ValueError, match=message):
        bits_per_dim(*args)


# Fréchet distance


def covariance(x):
    """By the definition, with n - 1."""
    gap = x - x.mean(axis=0)
    return gap.T @ gap / (len(x) - 1)


def by_sqrtm(a, b):
    """The published formula; the root may come out complex."""
    cov_a, cov_b = covariance(a), covariance(b)
    gap = a.mean(axis=0) - b.mean(axis=0)
    root = np.trace(sqrtm(cov_a @ cov_b)).real
    return gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * root


def by_rows(a, b):
    """The same for any rank, from the n x m products of rows."""
    gap = a.mean(axis=0) - b.mean(axis=0)
    a = (a - a.mean(axis=0)) / np.sqrt(len(a) - 1)
    b = (b - b.mean(axis=0)) / np.sqrt(len(b) - 1)
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return gap @ gap + (a**2).sum() + (b**2).sum() - 2 * root


@st.composite
def set_pairs(draw, most_n=12, most_d=6):
    """Two sets of rows of one width, of different spreads and places."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d = draw(st.integers(1, most_d))
    sizes = [draw(st.integers(2, most_n)) for _ in "ab"]
    mix = rng.standard_normal((d, d))
    a, b = (rng.standard_normal((n, d)) + rng.random() for n in sizes)
    return a @ mix, b * 10.0 ** rng.uniform(-1, 1, d)


@st.composite
def hostile_sets(draw):
    """Sets of whole numbers, a dtype, a shift, and the seed of an order.

    Each set has one row, or half of its rows, far away, or none; and all of
    them move. A dtype holds each number before and after.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype, some, most = draw(
        st.sampled_from(
            [(np.float64, 2**27, 2**52), (np.float32, 2**11, 2**23)]
        )
    )
    d, n = draw(st.integers(1, 4)), draw(st.integers(4, 12))
    sets = rng.integers(100, size=(2, n, d))
    sets[1] += 50
    far = draw(st.sampled_from([most // 4, 2**6 * some, some, 0]))
    for x in sets:
        x[: draw(st.sampled_from([n // 2, 1, 0]))] += far
    shift = draw(st.sampled_from([0, some, most // 2]))
    return *sets, dtype, shift, draw(st.integers(0, 2**32 - 1))


def moved(a, b, dtype, shift, seed):
    """The same sets elsewhere, and in another order."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(x + shift).astype(dtype) for x in (a, b)]


@pytest.mark.parametrize("d", [1, 2, 5, 30])
def test_frechet_matches_the_formula_with_sqrtm(d):
    rng = np.random.default_rng(d)
    a = rng.standard_normal((100, d)) @ rng.standard_normal((d, d)) + 1
    b = rng.standard_normal((80, d)) * np.arange(1, d + 1)
    wanted = by_sqrtm(a, b)
    got = frechet_distance(a, b)
    assert type(got) is float
    np.testing.assert_allclose(got, wanted, rtol=1e-9)
    short = [(1000 + x).astype(np.float32) for x in (a, b)]
    wanted = frechet_distance(*[x.astype(float) for x in short])
    np.testing.assert_allclose(frechet_distance(*short), wanted, rtol=1e-9)


@few
@given(set_pairs(most_d=1))
def test_frechet_of_numbers_has_a_closed_form(pair):
    a, b = pair
    wanted = (a.mean() - b.mean()) ** 2
    wanted += (a.std(ddof=1) - b.std(ddof=1)) ** 2
    np.testing.assert_allclose(
        frechet_distance(a, b), wanted, rtol=1e-9, atol=1e-12
    )


@few
@given(set_pairs())
def test_frechet_is_right_for_any_rank(pair):
    """Also with fewer rows than columns, where covariances are singular."""
    a, b = pair
    scale = (a**2).mean() + (b**2).mean()
    np.testing.assert_allclose(
        frechet_distance(a, b), by_rows(a, b), rtol=0, atol=1e-12 * scale
    )


def test_frechet_of_sets_in_planes_across_each_other():
    rng = np.random.default_rng(0)
    a, b = np.zeros((2, 50, 4))
    a[:, :2], b[:, 2:] = rng.standard_normal((2, 50, 2))
    wanted = (a.mean(axis=0) ** 2).sum() + (b.mean(axis=0) ** 2).sum()
    wanted += a.var(axis=0, ddof=1).sum() + b.var(axis=0, ddof=1).sum()
    np.testing.assert_allclose(frechet_distance(a, b), wanted, rtol=1e-12)


@few
@given(hostile_sets())
def test_frechet_is_right_wherever_the_rows_lie(sets):
    a, b, dtype, shift, order = sets
    total = (a - a.mean(axis=0)).std() ** 2 + (b - b.mean(axis=0)).std() ** 2
    gap = a.mean(axis=0) - b.mean(axis=0)
    atol = 1e-12 * (4 * total * a.size + gap @ gap)
    a, b = a - a[0], b - a[0]
    got = frechet_distance(*moved(a, b, dtype, shift, order))
    np.testing.assert_allclose(got, by_rows(a, b), rtol=0, atol=atol)


@few
@given(set_pairs())
def test_frechet_of_a_set_and_itself_is_zero(pair):
    for x in pair:
        assert 0 <= frechet_distance(x, x[::-1]) <= 1e-12 * (x**2).max()


@few
@given(set_pairs())
def test_frechet_is_symmetric_and_knows_no_axes(pair):
    a, b = pair
    d = a.shape[1]
    atol = 1e-6 * ((a**2).max() + (b**2).max())
    wanted = frechet_distance(a, b)
    np.testing.assert_allclose(
        frechet_distance(b, a), wanted, rtol=1e-7, atol=atol
    )
    turn = ortho_group(d, seed=0).rvs() if d > 1 else -np.eye(1)
    shift = np.arange(d) * 3.0
    np.testing.assert_allclose(
        frechet_distance(a @ turn + shift, b @ turn + shift),
        wanted,
        rtol=1e-7,
        atol=atol,
    )


def test_frechet_is_squared():
    """A shift counts by its square, and so does the unit."""
    x = np.random.default_rng(0).standard_normal((20, 3))
    shift = np.array([3.0, 0, 4])
    np.testing.assert_allclose(frechet_distance(x, x + shift), 25)
    np.testing.assert_allclose(
        frechet_distance(7 * x, 7 * x + 7 * shift), 25 * 49
    )


# Nearest neighbours


def by_loops(real, fake, k):
    """The published definitions, in whole numbers, one pair at a time.

    A rim is 1.5e-9 of the radius wide.
    """

    def apart(a, b):
        return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))

    def reaches(rows):
        return [
            sorted(apart(a, b) for j, b in enumerate(rows) if j != i)[k - 1]
            * Fraction(10**9 + 3, 10**9)
            for i, a in enumerate(rows)
        ]

    in_real = [
        [apart(r, f) <= reach for f in fake]
        for r, reach in zip(real, reaches(real), strict=True)
    ]
    in_fake = [
        [apart(r, f) <= reach for r in real]
        for f, reach in zip(fake, reaches(fake), strict=True)
    ]
    n, m = len(real), len(fake)
    return (
        sum(map(any, zip(*in_real, strict=True))) / m,
        sum(map(any, zip(*in_fake, strict=True))) / n,
        sum(map(sum, in_real)) / (k * m),
        sum(map(any, in_real)) / n,
    )


def by_cdist(real, fake, k):
    """The same, by SciPy."""
    apart = cdist(real, fake)
    # entry 0 of a sorted row is the distance 0 to itself
    real_reach, fake_reach = (
        np.sort(cdist(x, x), axis=1)[:, k] for x in (real, fake)
    )
    in_real = apart <= real_reach[:, None]
    return (
        in_real.any(axis=0).mean(),
        (apart <= fake_reach).any(axis=1).mean(),
        in_real.sum() / (k * len(fake)),
        in_real.any(axis=1).mean(),
    )


@st.composite
def lattices(draw, side):
    """Two sets of points with whole coordinates, and a number k."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d, k = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    sizes = [draw(st.integers(k + 1, 9)) for _ in "ab"]
    real, fake = (rng.integers(side, size=(n, d)) for n in sizes)
    return real, fake + draw(st.integers(0, side // 2)), k


@few
@given(lattices(side=10_000))
def test_neighbour_scores_match_brute_force(problem):
    real, fake, k = problem
    wanted = by_loops(real.tolist(), fake.tolist(), k)
    np.testing.assert_allclose(neighbour_scores(real, fake, k), wanted)


@few
@given(lattices(side=4))
def test_the_rim_belongs_to_the_ball(problem):
    """On a coarse lattice there are many ties, and duplicates."""
    real, fake, k = problem
    wanted = by_loops(real.tolist(), fake.tolist(), k)
    np.testing.assert_allclose(neighbour_scores(real, fake, k), wanted)
    # also where the numbers are rounded
    real, fake = real / 10 + 0.7, fake / 10 + 0.7
    np.testing.assert_allclose(neighbour_scores(real, fake, k), wanted)


@few
@given(hostile_sets(), st.integers(1, 3))
def test_neighbours_are_right_wherever_the_rows_lie(sets, k):
    """Also ties, and neighbours within what lies far away."""
    real, fake, *change = sets
    wanted = by_loops(real.tolist(), fake.tolist(), k)
    got = neighbour_scores(*moved(real, fake, *change), k)
    np.testing.assert_allclose(got, wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_neighbour_scores_of_many_rows(k, dtype):
    rng = np.random.default_rng(k)
    real = rng.standard_normal((300, 3)).astype(dtype)
    fake = rng.standard_normal((250, 3)).astype(dtype) + dtype(0.5)
    wanted = by_cdist(real, fake, k)
    assert min(wanted) > 0.1
    np.testing.assert_allclose(neighbour_scores(real, fake, k), wanted)


def test_neighbour_scores_of_a_line_by_hand():
    real = np.array([[0.0], [1], [2], [7]])  # reaches 1, 1, 1, 5
    fake = np.array([[1.5], [-1], [21], [35], [2.5]])
    # reaches 1, 2.5, 14, 14, 1
    got = neighbour_scores(real, fake, k=1)
    assert got.precision == 3 / 5  # 1.5, -1 on a rim, 2.5
    assert got.recall == 4 / 4  # 0 and 1, 2, and 7 on the rim of 21
    # 1.5 lies in the balls of 1 and 2, 2.5 in those of 2 and 7
    assert got.density == 5 / 5
    assert got.coverage == 4 / 4
    assert all(type(value) is float for value in got)


def test_a_row_is_not_its_own_neighbour():
    """Neither is it skipped twice where it has a duplicate."""
    real = np.array([[0.0], [0], [8], [8]])
    fake = np.array([[1.0], [7], [0], [8]])
    # k = 1: each real ball is a point; the fakes reach 1
    assert neighbour_scores(real, fake, 1) == (0.5, 1, 1, 1)
    # k = 2: the real balls reach 8
    assert neighbour_scores(real, fake, 2) == (1, 1, 2, 1)


def test_real_and_fake_are_not_alike():
    """Fakes in one of two real clusters: precise, and half is not there."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((400, 2))
    real[200:] += 100
    fake = rng.standard_normal((400, 2))
    one = neighbour_scores(real, fake)
    assert one.precision > 0.9
    assert 0.4 < one.recall <= 0.5 and 0.4 < one.coverage <= 0.5
    other = neighbour_scores(fake, real)
    assert 0.4 < other.precision <= 0.5
    assert other.recall > 0.9 and other.coverage > 0.8


def test_density_and_coverage_have_their_expected_values():
    """For equal distributions, Naeem et al., section 3.3."""
    n, k = 1000, 5
    real, fake = np.random.default_rng(0).standard_normal((2, n, 8))
    got = neighbour_scores(real, fake)  # k is 5 unless said
    assert got == neighbour_scores(real, fake, k)
    assert abs(got.density - 1) < 0.05
    wanted = 1 - np.prod((n - np.arange(1, k + 1)) / (2 * n - np.arange(k)))
    assert abs(got.coverage - wanted) < 0.03


def test_neighbour_scores_know_no_origin():
    real, fake = np.random.default_rng(0).random((2, 50, 3))
    fake += 0.5
    wanted = neighbour_scores(real, fake)
    assert 0.1 < wanted.precision < 0.9
    assert neighbour_scores(real + 1e8, fake + 1e8) == wanted


@pytest.mark.parametrize("place", [0, 7])
def test_one_row_far_away_takes_no_neighbours_from_the_others(place):
    real, fake = np.random.default_rng(0).random((2, 50, 3), np.float32)
    real = np.insert(real, place, 1e6, axis=0)
    fake = np.insert(fake + np.float32(0.5), place, -1e6, axis=0)
    wanted = by_cdist(real, fake, 5)
    assert 0.1 < wanted[3] < 0.95
    np.testing.assert_allclose(neighbour_scores(real, fake), wanted)


# The nearest row


@few
@given(set_pairs(most_n=30))
def test_nearest_distance_matches_scipy(pair):
    x, reference = pair
    got = nearest_distance(x, reference)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, cdist(x, reference).min(axis=1))


@few
@given(hostile_sets(), st.integers(1, 100))
def test_the_nearest_row_is_right_wherever_the_rows_lie(sets, entries):
    x, reference, dtype, shift, _ = sets
    gap = (x[:, None] - reference).astype(object)  # whole numbers, any size
    wanted = np.sqrt((gap**2).sum(axis=-1).min(axis=1).astype(float))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "ENTRIES", entries)
        for rows in (reference, reference[::-1]):
            got = nearest_distance(
                (x + shift).astype(dtype), (rows + shift).astype(dtype)
            )
            np.testing.assert_allclose(got, wanted, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-60, 1e-30, 1e30, 1e60])
def test_the_nearest_row_is_right_on_any_scale(scale):
    """Also where a square of float32 overflows, or is 0."""
    x, reference = scale * np.random.default_rng(0).random((2, 30, 7))
    wanted = cdist(x, reference).min(axis=1)
    got = nearest_distance(x, reference)
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_nearest_distance_of_many_rows(dtype):
    """Enough of them to be worked in blocks."""
    rng = np.random.default_rng(0)
    x, reference = (rng.integers(256, size=(n, 40)) for n in (700, 5000))
    wanted = cdist(x, reference).min(axis=1)
    got = nearest_distance(x.astype(dtype), reference.astype(dtype))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, wanted, rtol=1e-9)
    copied = nearest_distance(reference[::9], reference)
    np.testing.assert_array_equal(copied, 0)


# Copies of one half or of the other


def halves(seed, m=40, n=60):
    """Rows, and two sets of images of 3 x 2 pixels."""
    rng = np.random.default_rng(seed)
    fitted, other = rng.integers(256, size=(2, m, 3, 2), dtype=np.uint8)
    return rng.random((n, 6)), fitted, other


@pytest.mark.parametrize("block", [7, 40, 6000])
def test_the_copied_share_matches_brute_force(block, monkeypatch):
    monkeypatch.setattr(metrics, "BLOCK", block)
    x, fitted, other = halves(block)
    near, far = (
        cdist(x, images.reshape(-1, 6) / 255).min(axis=1)
        for images in (fitted, other)
    )
    share, error = copied_share(x, fitted, other)
    assert share == (near < far).mean() and 0.2 < share < 0.8
    np.testing.assert_allclose(error, np.sqrt(share * (1 - share) / 60))
    assert type(share) is float and type(error) is float
    # what is not nearer to one is nearer to the other
    assert copied_share(x, other, fitted)[0] == pytest.approx(1 - share)


def test_copies_give_one_and_copies_of_the_others_none():
    _, fitted, other = halves(0)
    for noise in (0, 0.02):
        for images, wanted in [(fitted, 1), (other, 0)]:
            x = images.reshape(-1, 6) / 255
            x = x + noise * np.random.default_rng(0).uniform(-1, 1, x.shape)
            assert copied_share(x, fitted, other) == (wanted, 0)


def test_what_is_as_near_to_both_sets_is_no_copy():
    """Pictures of one grey, and a set that mirrors the other."""
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(60, 28, 28), dtype=np.uint8)
    x, mirrored = np.tile(rng.random((20, 1)), 784), images[:, :, ::-1]
    assert copied_share(x, images, mirrored) == (0, 0)
    assert copied_share(x, mirrored, images) == (0, 0)


# Tone


def test_tone_by_hand():
    x = np.array([[0.0, 0.5], [1.0, 0.25]])  # 0, 1/4, 1/2, 1
    reference = np.array([[1.0, 1.0], [0.5, 0.0]])  # 0, 1/2, 1, 1
    assert tone_difference(x, reference) == 100 * (1 / 4 + 1 / 2) / 4
    assert type(tone_difference(x, reference)) is float


@few
@given(st.integers(0, 2**32 - 1))
def test_tone_matches_scipy_and_knows_no_places(seed):
    """It is the earth mover's distance of grey levels."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 9, 2)
    x, reference = rng.random((2, n, d)) ** rng.uniform(0.2, 5)
    reference *= rng.random()
    wanted = 100 * wasserstein_distance(x.ravel(), reference.ravel())
    found = tone_difference(x, reference)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    moved = rng.permuted(x.ravel()).reshape(n, d)
    assert tone_difference(moved, reference) == found
    assert tone_difference(reference, x) == pytest.approx(found)
    assert tone_difference(x, moved) == 0


def test_tone_of_single_precision_adds_up_in_double():
    x = np.full((1000, 784), 0.1, np.float32)
    found = tone_difference(x, np.zeros_like(x))
    np.testing.assert_allclose(found, 100 * float(np.float32(0.1)), rtol=1e-12)


@few
@given(hostile_sets())
def test_tone_is_right_wherever_the_levels_lie(sets):
    x, reference, *change = sets
    wanted = np.abs(np.sort(x, None) - np.sort(reference, None)).mean()
    found = tone_difference(*moved(x, reference, *change))
    np.testing.assert_allclose(found, 100 * wanted, rtol=1e-12)


# The class


def test_class_consistency_is_the_share_read_as_asked():
    probs = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    assert class_consistency(probs, [0, 1, 0, 0]) == 0.75
    assert class_consistency(np.log(probs), [0, 1, 1, 0]) == 1
    assert class_consistency(probs, np.array([1, 0, 0, 1], np.uint8)) == 0
    assert type(class_consistency(probs, [0, 1, 0, 0])) is float


TWO, SIX = np.eye(2), np.arange(12.0).reshape(6, 2)
NAN = np.where(SIX == 3, np.nan, SIX)
IMAGES = np.zeros((4, 1, 2), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: frechet_distance(SIX[0], SIX), r"a must .* got \(2,\)"),
        (lambda: frechet_distance(SIX, SIX[0]), r"b must .* got \(2,\)"),
        (lambda: frechet_distance(SIX, SIX[:, :1]), r"b .* \(6, 1\)"),
        (lambda: frechet_distance(SIX[:1], SIX), "a must have two rows"),
        (lambda: frechet_distance(SIX, SIX[:1]), "b must have two rows"),
        (lambda: frechet_distance(SIX[:0], SIX), "a is empty"),
        (lambda: frechet_distance(NAN, SIX), "a holds 1 .* NaN"),
        (lambda: frechet_distance(SIX, NAN), "b holds 1 .* NaN"),
        (lambda: neighbour_scores(SIX[0], SIX), r"real .* got \(2,\)"),
        (lambda: neighbour_scores(SIX, SIX[:, :1]), r"fake .* \(6, 1\)"),
        (lambda: neighbour_scores(NAN, SIX), "real holds 1 .* NaN"),
        (lambda: neighbour_scores(SIX, NAN), "fake holds 1 .* NaN"),
        (lambda: neighbour_scores(SIX[:5], SIX), "real has 5 rows.* than 5"),
        (lambda: neighbour_scores(SIX, SIX[:2], 2), "fake has 2 rows.* 2"),
        (lambda: neighbour_scores(SIX, SIX[:1], 1), "fake has 1 rows.* 1"),
        (lambda: neighbour_scores(SIX, SIX, 0), "k must .* got 0"),
        (lambda: neighbour_scores(SIX, SIX, 1.0), "k must .* got 1.0"),
        (lambda: nearest_distance(SIX[0], SIX), r"x must .* got \(2,\)"),
        (lambda: nearest_distance(SIX, SIX[:, :1]), r"reference .* \(6, 1"),
        (lambda: nearest_distance(SIX, SIX[:0]), "reference is empty"),
        (lambda: nearest_distance(NAN, SIX), "x holds 1 .* NaN"),
        (lambda: nearest_distance(SIX, NAN), "reference holds 1 .* NaN"),
        (lambda: copied_share(SIX, IMAGES, IMAGES[1:]), "equal.* 4 and 3"),
        (lambda: copied_share(SIX, IMAGES[:0], IMAGES[:0]), "empty"),
        (lambda: copied_share(TWO[0], IMAGES, IMAGES), r"x .* \(2,\)"),
        (lambda: copied_share(NAN, IMAGES, IMAGES), "x holds 1 .* NaN"),
        (lambda: copied_share(SIX[:, :1], IMAGES, IMAGES), r"\(4, 2\)"),
        (lambda: copied_share(SIX, IMAGES / 1, IMAGES), "uint8"),
        (lambda: copied_share(SIX, IMAGES[0], IMAGES[0]), r"\(1, 2\)"),
        (lambda: tone_difference(SIX[0], SIX[0]), r"x must .* got \(2,\)"),
        (lambda: tone_difference(SIX, SIX[1:]), r"reference .* \(5, 2\)"),
        (lambda: tone_difference(SIX[:0], SIX[:0]), "x is empty"),
        (lambda: tone_difference(NAN, SIX), "x holds 1 .* NaN"),
        (lambda: tone_difference(SIX, NAN), "reference holds 1 .* NaN"),
        (lambda: class_consistency([1, 0], [0]), r"probs .* \(2,\)"),
        (lambda: class_consistency(NAN, [0] * 6), "probs holds 1 .* NaN"),
        (lambda: class_consistency(TWO, [0]), "y has 1 labels for 2 rows"),
        (lambda: class_consistency(TWO, [0, 2]), r"y .* 0 \.\.\. 1, got"),
        (lambda: class_consistency(TWO, [-1, 0]), r"y .* got -1 \.\.\. 0"),
        (lambda: class_consistency(TWO, [0.0, 1]), "y has .* float64"),
        (lambda: class_consistency(TWO, TWO), r"y .* got \(2, 2\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
