"""Count, sum and cross product of each class: all that a Gaussian needs."""

from dataclasses import dataclass

import numpy as np

from utils.checks import as_array, check_count, check_labels, check_rows

__all__ = ["ClassStatistics", "class_statistics", "statistics_from_chunks"]

# With |x - 128| <= 2**7, the products of 2**10 rows add up to 2**24 at most,
# the largest range in which float32 holds each whole number.
CENTRE, BLOCK = 128, 1024


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Sufficient statistics of the rows of each class.

    Two of them add up: ``a + b`` are the statistics of the rows of both, and
    ``a += b`` changes the arrays of ``a``, to save memory. Those of uint8
    rows are whole numbers, hence the same for any chunking, order of adding,
    thread count or machine.

    Attributes
    ----------
    count : int64 ndarray of shape (n_classes,)
    sum : ndarray of shape (n_classes, d)
        Sum of the rows; int64 for uint8 rows, else float64.
    cross : ndarray of shape (n_classes, d, d)
        For uint8 rows, the sum of x x^T as int64. For floats, the sum of
        (x - mean) (x - mean)^T as float64.

    References
    ----------
    Chan, Golub and LeVeque (1983), Algorithms for computing the sample
    variance, The American Statistician 37(3), for the sum of floats.
    """

    count: np.ndarray
    sum: np.ndarray
    cross: np.ndarray

    @property
    def exact(self):
        """Whether the statistics are whole numbers (of uint8 rows)."""
        return self.cross.dtype == np.int64

    @property
    def mean(self):
        """Mean of each class: float64 ndarray of shape (n_classes, d)."""
        self._check_count(1)
        return self.sum / self.count[:, None]

    def cov(self, label, ddof=0):
        """Covariance of one class, in squared units of the rows.

        Parameters
        ----------
        label : int
        ddof : {0, 1}
            Divide by count - ddof: 0 is maximum likelihood, 1 is unbiased.

        Returns
        -------
        float64 ndarray of shape (d, d)

        Raises
        ------
        ValueError
            If the class has fewer than two rows.
        """
        label = check_count("label", label)
        if label >= len(self.count):
            raise ValueError(
                f"label must be below {len(self.count)}, got {label}"
            )
        if ddof not in (0, 1):
            raise ValueError(f"ddof must be 0 or 1, got {ddof!r}")
        self._check_count(2, label)
        n, cross = self.count[label], self.cross[label]
        if self.exact:
            total = self.sum[label].astype(np.float64)
            cross = cross - np.outer(total, total) / n
        return cross / (n - ddof)

    def __add__(self, other):
        total = ClassStatistics(
            self.count.copy(), self.sum.copy(), self.cross.copy()
        )
        return total.__iadd__(other)

    def __iadd__(self, other):
        if not isinstance(other, ClassStatistics):
            return NotImplemented
        if self.sum.shape != other.sum.shape or self.exact != other.exact:
            raise ValueError(
                "statistics of different kinds do not add up: "
                f"{self.sum.dtype} of shape {self.sum.shape} and "
                f"{other.sum.dtype} of shape {other.sum.shape}"
            )
        count, total, cross = self.count, self.sum, self.cross
        cross += other.cross
        if not self.exact:
            a, b = count[:, None], other.count[:, None]
            gap = other.sum / np.maximum(b, 1) - total / np.maximum(a, 1)
            gap *= np.sqrt(a * b / np.maximum(a + b, 1))
            for label, step in enumerate(gap):
                cross[label] += np.outer(step, step)
        count += other.count
        total += other.sum
        return self

    def _check_count(self, least, label=slice(None)):
        if np.min(self.count[label]) < least:
            which = "each class" if label == slice(None) else f"class {label}"
            raise ValueError(
                f"{which} needs at least {least} rows; the counts are "
                f"{self.count.tolist()}"
            )


def class_statistics(x, y, n_classes=10):
    """Count, sum and cross product of the rows of each class, in one pass.

    Parameters
    ----------
    x : ndarray of shape (n, d) or images of shape (n, height, width)
        uint8, or floating and finite. A class may be absent.
    y : int ndarray of shape (n,)
        Classes, 0 to n_classes - 1.
    n_classes : int

    Returns
    -------
    ClassStatistics

    Raises
    ------
    ValueError
        If a shape, a dtype or a value does not fit.
    """
    n_classes = check_count("n_classes", n_classes, 1)
    x, y = _check_chunk(x, y, n_classes)
    d = x.shape[1]
    dtype = np.int64 if x.dtype == np.uint8 else np.float64
    found = ClassStatistics(
        np.zeros(n_classes, np.int64),
        np.zeros((n_classes, d), dtype),
        np.zeros((n_classes, d, d), dtype),
    )
    _add_rows(found, x, y)
    return found


def statistics_from_chunks(chunks, n_classes=10):
    """Statistics of rows that come in chunks, one chunk in memory at a time.

    Parameters
    ----------
    chunks : iterable of (x, y)
        Each as in `class_statistics`.
    n_classes : int

    Returns
    -------
    ClassStatistics

    Raises
    ------
    ValueError
        If there is no chunk, or a chunk does not fit.
    """
    found = None
    for chunk in chunks:
        x, y = _pair(chunk)
        if found is None:
            found = class_statistics(x, y, n_classes)
            d = found.sum.shape[1]
            continue
        x, y = _check_chunk(x, y, n_classes)
        if found.exact and (x.dtype, x.shape[1]) == (np.uint8, d):
            _add_rows(found, x, y)  # in place: no second set of matrices
        else:
            found += class_statistics(x, y, n_classes)
    if found is None:
        raise ValueError("chunks is empty")
    return found


def _pair(chunk):
    """A chunk of rows and their labels."""
    try:
        x, y = chunk
    except (TypeError, ValueError):
        raise ValueError(
            f"chunks must give pairs (x, y), got {type(chunk).__name__}"
        ) from None
    return x, y


def _check_chunk(x, y, n_classes):
    """Rows of uint8 or of floats, and their labels."""
    x = as_array("x", x)
    if x.ndim == 3:
        n, height, width = x.shape
        x = x.reshape(n, height * width)
    x = check_rows("x", x)
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise ValueError(f"x must be uint8 or floating, got {x.dtype}")
    return x, check_labels("y", y, len(x), n_classes)


def _add_rows(found, x, y):
    """Add rows to statistics, in place; floats to empty ones only."""
    found.count[:] += np.bincount(y, minlength=len(found.count))
    d = x.shape[1]
    scratch = (
        np.empty(BLOCK * d, np.float32),
        np.empty(d * d, np.float32),
        np.empty(d * d),
    )
    for label in np.unique(y):
        sums = found.sum[label], found.cross[label]
        if found.exact:
            _whole_numbers(x[y == label], *sums, scratch)
        else:
            _floats(x[y == label], *sums)


def _whole_numbers(rows, total, cross, scratch):
    """Add the sums over uint8 rows, exactly, by float32 products.

    Blank pixels add nothing: those that are blank in most rows are left to
    the few rows that have ink there.
    """
    ink = rows.sum(axis=0, dtype=np.int64)
    total += ink
    often = np.flatnonzero(ink > len(rows))
    seldom = np.flatnonzero((ink > 0) & (ink <= len(rows)))
    some = _products(rows.take(often, axis=1), len(often), scratch)
    for at, row in zip(often, some, strict=True):
        cross[at, often] += row
    inked = rows.take(seldom, axis=1).any(axis=1)
    both = np.concatenate([seldom, often])
    strip = _products(rows[inked].take(both, axis=1), len(seldom), scratch)
    for at, row in zip(seldom, strip, strict=True):
        cross[at, both] += row
    for at, row in zip(often, strip[:, len(seldom) :].T, strict=True):
        cross[at, seldom] += row


def _products(rows, k, scratch):
    """Sum of x[:k] x^T over uint8 rows, as int64."""
    d = rows.shape[1]
    room, product, products = scratch
    product = product[: k * d].reshape(k, d)
    products = products[: k * d].reshape(k, d)
    total, products[:] = np.zeros(d), 0
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        block = room[: part.size].reshape(part.shape)
        np.subtract(part, np.float32(CENTRE), out=block)
        total += block.sum(axis=0)
        products += np.matmul(block[:, :k].T, block, out=product)
    # from about CENTRE back to about 0
    shift = CENTRE * total + len(rows) * CENTRE**2 / 2
    products += shift
    products += shift[:k, None]
    return products.astype(np.int64)


def _floats(rows, total, cross):
    """Add the sum of float rows, and of products about their mean."""
    rows = rows.astype(np.float64)
    total += rows.sum(axis=0)
    if len(rows):
        rows -= total / len(rows)
    cross += rows.T @ rows
