"""Scores. They take arrays, never models."""

from typing import NamedTuple

import numpy as np

from utils.checks import (
    check_count,
    check_labels,
    check_rows,
    finite_array,
)
from utils.data import preprocess

__all__ = [
    "Neighbours",
    "bits_per_dim",
    "class_consistency",
    "copied_share",
    "frechet_distance",
    "nearest_distance",
    "neighbour_scores",
    "tone_difference",
]

BLOCK = 2000  # images that are held as floats at a time
ENTRIES = 2**23  # distances that are held at a time
ACCURACY = 1e-9  # relative error of a squared distance, at most


def bits_per_dim(
    log_prob: np.ndarray,
    d: int,
    n_levels: int = 256,
    *,
    discrete: bool = False,
) -> np.ndarray:
    """Bits a pixel that a model spends on images of some grey levels.

    A density of dequantised images gives an upper bound for what a model of
    the levels themselves would need; a uniform density scores
    log2(n_levels). Where log_prob is a lower bound (an ELBO), the score is an
    upper bound too: call it one. A density of transformed pixels t(x) needs
    log |dt/dx| added first, see `utils.data.to_logit`.

    Parameters
    ----------
    log_prob : ndarray of shape (n,)
        Log-density in nats of rows (x + u) / n_levels, u uniform on [0, 1).
        With `discrete`, log-probability of the rows of levels.
    d : int
        Length of a row.
    n_levels : int
        Grey levels.
    discrete : bool
        Whether log_prob is of the levels themselves.

    Returns
    -------
    ndarray of shape (n,)
        Its mean is the score of a model.

    Raises
    ------
    ValueError
        If log_prob is not 1-D and finite, or above 0 for a discrete model,
        or d is not a whole number > 0.

    References
    ----------
    Theis, van den Oord and Bethge (2016), A note on the evaluation of
    generative models, section 3.1, arXiv:1511.01844.
    """
    log_prob = finite_array("log_prob", log_prob, (None,))
    d = check_count("d", d, 1)
    n_levels = check_count("n_levels", n_levels, 2)
    bits = -log_prob / (d * np.log(2))
    if not discrete:
        return np.log2(n_levels) + bits
    if (log_prob > 0).any():
        raise ValueError(
            "log_prob of a discrete model is at most 0, "
            f"got {log_prob.max():.3g}"
        )
    return bits


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Fréchet distance of the normals fitted to two sets of rows.

    |mean_a - mean_b|^2 + tr(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)). The last
    trace is the sum of the singular values of A B^T, where A^T A = cov_a and
    B^T B = cov_b: real whatever the rank, unlike a matrix square root.

    Parameters
    ----------
    a, b : ndarrays of shapes (n, d) and (m, d)
        Features, two rows at least. The value depends on n and m: compare
        only what has the same.

    Returns
    -------
    float
        In squared units of the features, at least 0. It is found in float64,
        to 1e-12 of the sum of its four terms without their signs, wherever
        the rows lie and in whatever order.

    Raises
    ------
    ValueError
        If the widths differ or a set has less than two rows.

    References
    ----------
    Dowson and Landau (1982), The Fréchet distance between multivariate
    normal distributions, Journal of Multivariate Analysis 12(3). Heusel et
    al. (2017), GANs trained by a two time-scale update rule,
    arXiv:1706.08500, for its use on features.
    """
    a = _check_set("a", a)
    b = _check_set("b", b, a.shape[1])
    origin = a.mean(axis=0)  # far from 0, squares lose digits
    mean_a, root_a = _moments(a - origin)
    mean_b, root_b = _moments(b - origin)
    gap = mean_a - mean_b
    traces = np.square(root_a).sum() + np.square(root_b).sum()
    cross = np.linalg.norm(root_a @ root_b.T, "nuc")
    return float(max(gap @ gap + traces - 2 * cross, 0))


def _check_set(name, x, d=None):
    """Rows as float64, two at least."""
    x = check_rows(name, x, d)
    if len(x) < 2:
        raise ValueError(f"{name} must have two rows at least, got 1")
    return x.astype(np.float64)


def _moments(x):
    """Mean of x, and an A with A^T A its covariance."""
    mean = x.mean(axis=0)
    root = np.linalg.qr(x - mean, mode="r") / np.sqrt(len(x) - 1)
    return mean, root


class Neighbours(NamedTuple):
    """Scores by nearest neighbours, each a share, 1 where all is well.

    Attributes
    ----------
    precision : float
        Of the fakes that lie in the ball of some real row.
    recall : float
        Of the real rows that lie in the ball of some fake.
    density : float
        Mean number of balls of real rows that hold a fake, divided by k; it
        may exceed 1.
    coverage : float
        Of the real rows whose ball holds a fake.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbour_scores(
    real: np.ndarray, fake: np.ndarray, k: int = 5
) -> Neighbours:
    """Precision, recall, density and coverage of generated rows.

    The ball of a row reaches to its k-th nearest neighbour among the rows of
    its own set, not counting itself, and holds what lies on its rim. Distances
    are right to 1e-9 of themselves wherever the rows lie, and what lies beyond
    a rim by some 1e-9 of its radius counts as on it. So no score depends on
    the order of the rows, or on where they lie, but for what the rows lose
    when their own numbers are rounded there.

    Parameters
    ----------
    real, fake : ndarrays of shapes (n, d) and (m, d)
        Features, with n and m above k.
    k : int

    Returns
    -------
    Neighbours

    Raises
    ------
    ValueError
        If a shape does not fit, or a set has k rows or less.

    References
    ----------
    Kynkäänniemi et al. (2019), Improved precision and recall metric for
    assessing generative models, arXiv:1904.06991. Naeem et al. (2020),
    Reliable fidelity and diversity metrics for generative models,
    arXiv:2002.09797.
    """
    real = check_rows("real", real)
    fake = check_rows("fake", fake, real.shape[1])
    k = check_count("k", k, 1)
    for name, x in [("real", real), ("fake", fake)]:
        if len(x) <= k:
            raise ValueError(f"{name} has {len(x)} rows, needs more than {k}")
    real_rim, fake_rim = _rim(real, k), _rim(fake, k)
    distance2 = _squared_distances(real, fake)
    in_real = distance2 <= real_rim[:, None]
    return Neighbours(
        precision=float(in_real.any(axis=0).mean()),
        recall=float((distance2 <= fake_rim).any(axis=1).mean()),
        density=float(in_real.sum(axis=0).mean() / k),
        coverage=float(in_real.any(axis=1).mean()),
    )


def _rim(x, k):
    """Squared distance of each row to its k-th nearest other row, and a hair
    more, so that no rounding puts a tie outside.
    """
    distance2 = _squared_distances(x)
    distance2.partition(k - 1, axis=1)
    return distance2[:, k - 1] * (1 + 3 * ACCURACY)


def _squared_distances(a, b=None):
    """Squared distances of rows as float64, each right to 1e-9 of itself.

    One matrix product gives |a|^2 - 2 a b + |b|^2 for all pairs. Where two
    rows lie so near to each other, and so far from the origin, that too few
    digits are left, their differences are squared instead. Without b, rows of
    a are compared with the others, and are inf from themselves.
    """
    from scipy.spatial.distance import cdist
    from sklearn.metrics.pairwise import euclidean_distances

    a = a.astype(np.float64)
    b = a if (alone := b is None) else b.astype(np.float64)
    # any origin will do; near most rows, few pairs are left to do again
    origin = np.median(a[:: len(a) // 100 + 1], axis=0)
    near_a, near_b = a - origin, b - origin
    distance2 = euclidean_distances(near_a, near_b, squared=True)
    if alone:
        np.fill_diagonal(distance2, np.inf)
    # the product errs by less than (d + 9) eps (|a|^2 + |b|^2); where that is
    # too much, |b| is nearly |a|
    needed = 4 * (a.shape[1] + 9) * np.finfo(np.float64).eps / ACCURACY
    norm2 = np.square(near_a).sum(axis=1)
    lost = distance2 < needed * norm2[:, None]
    for i in np.flatnonzero(lost.any(axis=1)):
        j = lost[i]
        distance2[i, j] = cdist(a[i : i + 1], b[j], "sqeuclidean")
    return distance2


def nearest_distance(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Euclidean distance of each row to the nearest row of a reference.

    A model that copies its training pictures draws rows nearer to them than
    new pictures lie. Smooth pictures lie near as well: compare like with like.

    Parameters
    ----------
    x : ndarray of shape (n, d)
    reference : ndarray of shape (m, d)

    Returns
    -------
    float64 ndarray of shape (n,)
        In units of x; right to 1e-9 of themselves, wherever the rows lie and
        in whatever order.

    Raises
    ------
    ValueError
        If a shape does not fit.
    """
    x = check_rows("x", x)
    reference = check_rows("reference", reference, x.shape[1])
    d, found = x.shape[1], np.full(len(x), np.inf)
    for part in _split(reference, max(ENTRIES // len(x), 1)):
        # float32 is fast, and leaves few pairs to be found in float64
        pairs = _perhaps_nearest(x, part)
        for i, j in (some.T for some in _split(pairs, max(ENTRIES // d, 1))):
            gap = x[i].astype(np.float64) - part[j]
            np.minimum.at(found, i, np.square(gap).sum(axis=1))
    return np.sqrt(found)


def _perhaps_nearest(a, b):
    """Pairs (i, j) of which b[j] may be the row of b that is nearest to a[i],
    as far as float32 can tell.
    """
    origin = np.median(b[:: len(b) // 100 + 1], axis=0)
    a, b = a - origin, b - origin
    unit = max(np.abs(a).max(), np.abs(b).max()) or 1
    a, b = (a / unit).astype(np.float32), (b / unit).astype(np.float32)
    a2, b2 = np.square(a).sum(axis=1), np.square(b).sum(axis=1)
    # |a - b|^2 - |a|^2, which errs by less than this
    slack = (a.shape[1] + 9) * np.finfo(np.float32).eps * (a2 + b2.max())
    distance2 = b2 - 2 * (a @ b.T)
    most = distance2.min(axis=1) + 2 * slack
    return np.argwhere(distance2 <= most[:, None])


def _split(rows, most):
    """Parts of some rows at most; one, if there are no rows."""
    return np.array_split(rows, -(-len(rows) // most) or 1)


def copied_share(
    x: np.ndarray, fitted: np.ndarray, other: np.ndarray
) -> tuple[float, float]:
    """Share of rows that lie nearer to one set than to another, equally large.

    Of draws of a model that was fitted to the first set, 1/2 is what chance
    gives, and 1 says that each draw is a copy, or nearly. A row that is as
    near to the one set as to the other, to some 1e-9, is nearer to neither.

    Parameters
    ----------
    x : ndarray of shape (n, d)
    fitted, other : uint8 ndarrays of shape (m, height, width)
        Images, d = height * width.

    Returns
    -------
    share : float
    error : float
        Its standard error, sqrt(share (1 - share) / n).

    Raises
    ------
    ValueError
        If a shape does not fit, or the sets are not equally large.
    """
    if len(fitted) != len(other):
        raise ValueError(
            f"fitted and other must be equally large, got {len(fitted)} and "
            f"{len(other)}"
        )
    near, far = (_nearest_image(x, images) for images in (fitted, other))
    share = float(np.mean(near < far * (1 - 2 * ACCURACY)))
    return share, float(np.sqrt(share * (1 - share) / len(near)))


def _nearest_image(x, images):
    """Distance of each row to the nearest image, some at a time."""
    parts = _split(images, BLOCK)
    found = [nearest_distance(x, preprocess(part)) for part in parts]
    return np.min(found, axis=0)


def tone_difference(x: np.ndarray, reference: np.ndarray) -> float:
    """Mean difference of the sorted grey levels of two sets of pictures.

    It asks how much ink there is of each grey level, and not where.

    Parameters
    ----------
    x, reference : ndarrays of shape (n, d)
        Grey levels, 0 for paper to 1 for full ink; equally many.

    Returns
    -------
    float
        In % of full ink.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    x = check_rows("x", x)
    reference = finite_array("reference", reference, x.shape)
    a, b = (np.sort(rows, axis=None).astype(float) for rows in (x, reference))
    return float(100 * np.abs(a - b).mean())


def class_consistency(probs: np.ndarray, y: np.ndarray) -> float:
    """Share of pictures that a classifier reads as the digit asked for.

    Blind to variety: a model that draws one good picture a class scores 1.

    Parameters
    ----------
    probs : ndarray of shape (n, n_classes)
        Probabilities, or any scores, of each class.
    y : int ndarray of shape (n,)
        The classes asked for.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a shape does not fit, or a label is not a class.
    """
    probs = check_rows("probs", probs)
    y = check_labels("y", y, *probs.shape)
    return float((probs.argmax(axis=1) == y).mean())
