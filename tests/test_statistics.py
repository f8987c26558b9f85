"""Class statistics: exact for uint8, accurate for floats, mergeable."""

import hashlib
from fractions import Fraction
from functools import cache, reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from threadpoolctl import threadpool_limits

from utils.data import load_mnist
from utils.statistics import BLOCK, ClassStatistics, class_statistics

few = settings(derandomize=True, deadline=None, max_examples=40, database=None)

# sha256 of the ten matrices sum of x x^T as int64, class 0 first, C order,
# found by an int64 matrix product and by float64 products alike
GOLDEN_CROSS = (
    "99eaa544d8e7f7e60cb955693952513e103c493c484eccfa536e81e1605a54ac"
)
GOLDEN_COUNT = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@cache
def train():
    (x, y), _ = load_mnist()
    x.flags.writeable = y.flags.writeable = False
    return x, y


def brute_force(x, y, n_classes):
    """The three sums of integer rows, in Python's own arithmetic or int64."""
    x = x.reshape(len(x), -1).astype(np.int64)
    count = np.array([(y == c).sum() for c in range(n_classes)])
    total = np.array([x[y == c].sum(axis=0) for c in range(n_classes)])
    cross = np.array([x[y == c].T @ x[y == c] for c in range(n_classes)])
    return count, total, cross


def assert_identical(a, b):
    """Equal to the last bit, dtypes too."""
    for name in ("count", "sum", "cross"):
        one, two = getattr(a, name), getattr(b, name)
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


def piece_by_piece(chunks, d, n_classes=10, exact=True):
    """The statistics of rows that come in chunks."""
    s = ClassStatistics.empty(d, n_classes, exact)
    for chunk in chunks:
        assert s.update(*chunk) is None
    return s


# Whole numbers


def digits_like(draw, max_n=40):
    """uint8 rows with many blanks, and labels of up to three classes."""
    n, d = draw(st.integers(1, max_n)), draw(st.integers(1, 6))
    level = st.one_of(
        st.just(0), st.sampled_from([1, 127, 128, 255]), st.integers(0, 255)
    )
    x = draw(arrays(np.uint8, (n, d), elements=level))
    y = draw(arrays(np.int64, n, elements=st.integers(0, 2)))
    return x, y


@few
@given(st.data())
def test_whole_numbers_match_brute_force(data):
    x, y = digits_like(data.draw)
    kept = x.copy(), y.copy()
    s = class_statistics(x, y, n_classes=4)
    count, total, cross = brute_force(x, y, 4)
    assert s.sum.dtype == s.cross.dtype == np.int64 and s.exact
    np.testing.assert_array_equal(s.count, count)
    np.testing.assert_array_equal(s.sum, total)
    np.testing.assert_array_equal(s.cross, cross)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(y, kept[1])


@pytest.mark.parametrize("n", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5000])
@pytest.mark.parametrize("kind", ["zeros", "full", "extremes", "odd", "rare"])
def test_whole_numbers_are_exact_at_the_limits_of_a_block(n, kind):
    rng = np.random.default_rng(n)
    x = {
        "zeros": np.zeros((n, 5)),
        "full": np.full((n, 5), 255),
        "extremes": rng.choice([0, 255], size=(n, 5)),
        # products of odd numbers need the last bit of each sum
        "odd": rng.integers(0, 128, size=(n, 5)) * 2 + 1,
        # columns that are blank in most rows, or in all
        "rare": np.where(
            rng.random((n, 5)) < [0.001, 0.9, 0.0, 0.002, 1],
            rng.integers(1, 256, size=(n, 5)),
            0,
        ),
    }[kind].astype(np.uint8)
    y = np.zeros(n, int)
    s = class_statistics(x, y, n_classes=1)
    for got, wanted in zip(
        (s.count, s.sum, s.cross), brute_force(x, y, 1), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


@few
@given(st.data())
def test_any_chunking_and_any_order_of_merging_is_identical(data):
    x, y = digits_like(data.draw)
    cuts = data.draw(st.lists(st.integers(1, len(x)), max_size=5))
    edges = sorted({0, *cuts, len(x)})
    chunks = [(x[a:b], y[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
    whole = class_statistics(x, y, 3)
    assert_identical(piece_by_piece(chunks, x.shape[1], 3), whole)
    shuffled = data.draw(st.permutations(chunks))
    parts = [class_statistics(*chunk, 3) for chunk in shuffled]
    assert_identical(reduce(add, parts), whole)
    # the other way of bracketing: a + (b + (c + d))
    assert_identical(reduce(lambda s, t: t + s, reversed(parts)), whole)


def test_golden_training_set():
    s = class_statistics(*train())
    assert s.count.tolist() == GOLDEN_COUNT
    assert s.cross.shape == (10, 784, 784) and s.cross.dtype == np.int64
    assert hashlib.sha256(s.cross.tobytes()).hexdigest() == GOLDEN_CROSS
    assert s.sum.sum() == 1_567_298_545
    assert round(s.sum.sum() / train()[0].size, 6) == 33.318421
    np.testing.assert_array_equal(
        s.sum,
        np.array(
            [
                train()[0][train()[1] == c].sum(axis=0, dtype=np.int64).ravel()
                for c in range(10)
            ]
        ),
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_golden_from_chunks_for_each_thread_count(threads):
    x, y = train()
    order = np.random.default_rng(threads).permutation(len(x))
    pieces = np.array_split(order, [7, 1031, 20_000, 59_999])
    with threadpool_limits(threads):
        s = piece_by_piece(((x[i], y[i]) for i in pieces), 784)
    assert hashlib.sha256(s.cross.tobytes()).hexdigest() == GOLDEN_CROSS
    assert s.count.tolist() == GOLDEN_COUNT


def test_a_digit_of_the_golden_matrices_by_hand():
    """One entry of each class, without any matrix product."""
    x, y = train()
    s = class_statistics(x, y)
    i, j = 14 * 28 + 14, 13 * 28 + 15
    for c in range(10):
        a, b = x[y == c, 14, 14], x[y == c, 13, 15]
        wanted = sum(map(int.__mul__, a.tolist(), b.tolist()))
        assert s.cross[c, i, j] == s.cross[c, j, i] == wanted


# Mean and covariance


@few
@given(st.data())
def test_mean_and_cov_match_fractions(data):
    x, y = digits_like(data.draw, max_n=12)
    s = class_statistics(x, y * 0, n_classes=1)
    n, d = x.shape
    rows = [[Fraction(v) for v in row] for row in x.tolist()]
    mean = [sum(column) / n for column in zip(*rows, strict=True)]
    np.testing.assert_array_equal(s.mean[0], [float(m) for m in mean])
    for ddof in {0, 1} if n > 1 else {}:
        wanted = [
            [
                float(
                    sum((r[i] - mean[i]) * (r[j] - mean[j]) for r in rows)
                    / (n - ddof)
                )
                for j in range(d)
            ]
            for i in range(d)
        ]
        np.testing.assert_allclose(
            s.cov(0, ddof), wanted, rtol=1e-13, atol=1e-11
        )


@pytest.mark.parametrize("ddof", [0, 1])
def test_cov_of_digits_matches_numpy(ddof):
    x, y = train()
    s = class_statistics(x[:6000], y[:6000])
    for label in (0, 1, 8):
        rows = x[:6000][y[:6000] == label].reshape(-1, 784).astype(float)
        cov = s.cov(label, ddof)
        wanted = np.cov(rows, rowvar=False, ddof=ddof)
        np.testing.assert_allclose(cov, wanted, rtol=1e-11, atol=1e-8)
        np.testing.assert_array_equal(cov, cov.T)
        blank = rows.max(axis=0) == 0
        assert (cov[blank] == 0).all()  # exactly
        np.testing.assert_allclose(s.mean[label], rows.mean(axis=0))


def test_images_and_rows_and_label_dtypes_agree():
    x, y = train()
    images, y = x[:50], y[:50]
    wanted = class_statistics(images, y)
    for dtype in (np.int8, np.int32, np.int64, np.uint64):
        rows = images.reshape(50, 784)
        assert_identical(class_statistics(rows, y.astype(dtype)), wanted)
    assert_identical(class_statistics(rows, list(y)), wanted)


# Floats

some_floats = st.floats(-1e3, 1e3, width=32)


@few
@given(st.data())
def test_floats_match_numpy_and_merge(data):
    n, d = data.draw(st.integers(2, 30)), data.draw(st.integers(1, 4))
    x = data.draw(arrays(float, (n, d), elements=some_floats))
    y = data.draw(arrays(int, n, elements=st.integers(0, 2)))
    x = x.astype(data.draw(st.sampled_from([np.float32, np.float64])))
    kept = x.copy()
    whole = class_statistics(x, y, 3)
    cut = data.draw(st.integers(1, n - 1))
    first = class_statistics(x[:cut], y[:cut], 3)
    last = class_statistics(x[cut:], y[cut:], 3)
    halves = [(x[:cut], y[:cut]), (x[cut:], y[cut:])]
    updated = piece_by_piece(halves, d, 3, exact=False)
    for s in (whole, first + last, last + first, updated):
        assert s.sum.dtype == s.cross.dtype == np.float64 and not s.exact
        for label in range(3):
            rows = x[y == label].astype(float)
            np.testing.assert_allclose(
                s.sum[label], rows.sum(axis=0), rtol=1e-12, atol=1e-9
            )
            if len(rows) > 1:
                wanted = np.cov(rows, rowvar=False).reshape(d, d)
                np.testing.assert_allclose(
                    s.cov(label, 1), wanted, rtol=1e-10, atol=1e-7
                )
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("offset", [0, 1e4, 1e8])
def test_floats_far_from_zero_keep_their_covariance(offset):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 4)) @ rng.standard_normal((4, 4)) + offset
    y = rng.integers(2, size=3000)
    chunks = [(x[i::7], y[i::7]) for i in range(7)]
    s = piece_by_piece(chunks, 4, 2, exact=False)
    for label in (0, 1):
        rows = x[y == label]
        centred = rows - offset  # exact: the two are within a factor of 2
        wanted = np.cov(centred, rowvar=False, ddof=0)
        cov = s.cov(label)
        # a mean near the offset is itself rounded by 1e-16 of the offset
        atol = 1e-11 + 1e-15 * offset
        np.testing.assert_allclose(cov, wanted, rtol=0, atol=atol)
        np.testing.assert_array_equal(cov, cov.T)
    if offset == 1e8:  # so that the test has teeth
        naive = rows.T @ rows / len(rows) - np.outer(*[rows.mean(axis=0)] * 2)
        assert np.abs(naive - wanted).max() > 0.5


def test_adding_leaves_the_parts_alone():
    rng = np.random.default_rng(0)
    for x in (rng.random((9, 3)), rng.integers(256, size=(9, 3), dtype="u1")):
        a = class_statistics(x, np.arange(9) % 2, 2)
        b = class_statistics(x[:4], np.zeros(4, int), 2)
        kept = [getattr(s, n).copy() for s in (a, b) for n in vars(a)]
        _ = a + b
        for old, now in zip(
            kept, [getattr(s, n) for s in (a, b) for n in vars(a)], strict=True
        ):
            np.testing.assert_array_equal(old, now)


def test_statistics_of_no_rows_change_nothing():
    x = np.arange(12, dtype=np.uint8).reshape(4, 3)
    for rows in (x, x / 7):
        s = class_statistics(rows, [0, 1, 1, 0], 2)
        none = ClassStatistics.empty(3, 2, exact=s.exact)
        assert not none.count.any()
        assert_identical(none + s, s)
        assert_identical(s + none, s)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:, :2], y), r"x must .* \(any, 3\), got \(4, 2\)"),
        (lambda x, y: (x, y[:1]), "y has 1 labels for 4 rows"),
        (lambda x, y: (x, y + 2), r"y must .* 0 \.\.\. 2, got 2 \.\.\. 3"),
        (
            lambda x, y: (x / 1 if x.dtype == "u1" else x.astype("u1"), y),
            "x must be (uint8 here, got float64|floating here, got uint8)",
        ),
    ],
)
def test_rows_that_do_not_fit_are_not_added(exact, change, message):
    x = X + 1 if exact else X + 0.5
    s = class_statistics(x, Y, 3)
    with pytest.raises(ValueError, match=message):
        s.update(*change(x, Y))
    assert_identical(s, class_statistics(x, Y, 3))


# Bad input

X, Y = np.zeros((4, 3), np.uint8), np.array([0, 0, 0, 1])
S = class_statistics(X, Y, 3)  # three rows, one row, none


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_statistics(X[0], Y), r"x must .* got \(3,\)"),
        (lambda: class_statistics(X[:0], Y[:0]), r"x is empty: .* \(0, 3\)"),
        (
            lambda: class_statistics(np.zeros((0, 28, 28), "u1"), Y[:0]),
            r"x is empty: .* \(0, 784\)",
        ),
        (lambda: class_statistics(X[:, :0], Y), r"x is empty: .* \(4, 0\)"),
        (lambda: class_statistics(X.astype(int), Y), "x must be .* int64"),
        (lambda: class_statistics(X.astype("i1"), Y), "x must be .* int8"),
        (lambda: class_statistics(X > 0, Y), "x .* bool"),
        (lambda: class_statistics(X * 1j, Y), "x .* complex128"),
        (lambda: class_statistics(X.astype(object), Y), "x .* object"),
        (
            lambda: class_statistics(X + [np.nan, 0, 0], Y),
            "x holds 4 values .* NaN",
        ),
        (
            lambda: class_statistics(X + [np.inf, 0, 0], Y),
            "x holds 4 values .* infinite",
        ),
        (lambda: class_statistics(X, Y[:3]), "y has 3 labels for 4 rows"),
        (lambda: class_statistics(X, Y[None]), r"y must .* got \(1, 4\)"),
        (lambda: class_statistics(X, Y / 1), "y has .* float64"),
        (lambda: class_statistics(X, Y, 1), r"y must .* 0 \.\.\. 1"),
        (lambda: class_statistics(X, Y - 1), r"y must .* -1 \.\.\. 0"),
        (lambda: class_statistics(X, Y, 0), "n_classes must .* got 0"),
        (lambda: class_statistics(X, Y, -1), "n_classes must .* got -1"),
        (lambda: class_statistics(X, Y, 2.0), "n_classes must .* got 2.0"),
        (lambda: ClassStatistics.empty(0), "d must .* got 0"),
        (lambda: ClassStatistics.empty(3, 0), "n_classes must .* got 0"),
        (lambda: S.mean, r"at least 1 rows; the counts are \[3, 1, 0\]"),
        (lambda: S.cov(1), r"at least 2 rows; the counts are \[3, 1, 0\]"),
        (lambda: S.cov(2), r"at least 2 rows; the counts are \[3, 1, 0\]"),
        (lambda: S.cov(3), "label must .* got 3"),
        (lambda: S.cov(-1), "label must .* got -1"),
        (lambda: S.cov(0.0), "label must .* got 0.0"),
        (lambda: S.cov(0, ddof=2), "ddof must .* got 2"),
        (lambda: S.cov(0, ddof="1"), "ddof must .* got '1'"),
        (
            lambda: S + class_statistics(X[:, :2], Y, 3),
            r"int64 of shape \(3, 3\) and int64 of shape \(3, 2\)",
        ),
        (
            lambda: S + class_statistics(X, Y, 2),
            r"int64 of shape \(3, 3\) and int64 of shape \(2, 3\)",
        ),
        (
            lambda: S + class_statistics(X / 1, Y, 3),
            r"int64 of shape \(3, 3\) and float64 of shape \(3, 3\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, s, c: (n[:1], s, c), r"sum must have shape \(1, any\)"),
        (lambda n, s, c: (n, s[:, :2], c), r"cross must .* \(2, 2, 2\)"),
        (lambda n, s, c: (n, s, c[:, :2]), r"got \(2, 2, 3\)"),
        (lambda n, s, c: (n / 1, s, c), "count has .* float64"),
        (lambda n, s, c: (n.astype("i4"), s, c), "count must .* got int32"),
        (lambda n, s, c: (n, s.astype("f4"), c), "both float64; got .*32"),
        (lambda n, s, c: (n, s * np.inf, c), "sum holds 6 .* infinite"),
        (lambda n, s, c: (n, s, c * np.nan), "cross holds 18 .* NaN"),
        (
            lambda n, s, c: (n, s, c + np.triu([[9] * 3] * 3)),
            r"cross\[0\] is not symmetric",
        ),
        (lambda n, s, c: (-n, s, c), "no rows have .* of class 0"),
        (lambda n, s, c: (n * [1, 0], s, c), "no rows have .* of class 1"),
        (lambda n, s, c: (n, s, -c), "no rows have .* of class 0"),
    ],
)
def test_statistics_of_no_possible_rows_are_refused(exact, change, message):
    x = np.array([[1, 2, 3], [3, 1, 1], [5, 0, 2], [0, 7, 9]])
    s = class_statistics(x.astype("u1" if exact else float), [0, 0, 1, 1], 2)
    parts = s.count, s.sum, s.cross
    assert_identical(ClassStatistics(*parts), s)
    with pytest.raises(ValueError, match=message):
        ClassStatistics(*change(*parts))


def test_sums_of_whole_numbers_obey_cauchy_and_schwarz():
    """Of two rows with the sum 4, the squares sum to 8 at least."""
    ClassStatistics([2], [[4]], [[[8]]])
    with pytest.raises(ValueError, match="no rows have .* class 0"):
        ClassStatistics([2], [[4]], [[[7]]])


def test_only_statistics_add_up():
    with pytest.raises(TypeError):
        S + 1
    assert isinstance(S + S, ClassStatistics)
