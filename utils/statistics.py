"""Count, sum and cross product of each class: all that a Gaussian needs."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg.blas import dsyrk

from utils.checks import (
    as_array,
    check_count,
    check_cov,
    check_labels,
    check_rows,
    finite_array,
)

__all__ = ["ClassStatistics", "class_statistics"]

BLOCK = 512  # rows that are float64 at once


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Sufficient statistics of the rows of each class.

    `update` adds rows to them. Two of them add up: ``a + b`` are the
    statistics of the rows of both, and ``a += b`` changes the arrays of
    ``a``, to save memory. Those of uint8 rows are whole numbers, hence the
    same for any chunking, order of adding, thread count or machine.

    Attributes
    ----------
    count : int64 ndarray of shape (n_classes,)
    sum : ndarray of shape (n_classes, d)
        Sum of the rows; int64 for uint8 rows, else float64.
    cross : ndarray of shape (n_classes, d, d)
        For uint8 rows, the sum of x x^T as int64. For floats, the sum of
        (x - mean) (x - mean)^T as float64.

    Raises
    ------
    ValueError
        If a shape or a dtype does not fit, cross is not symmetric, or no
        rows have such sums.

    References
    ----------
    Chan, Golub and LeVeque (1983), Algorithms for computing the sample
    variance, The American Statistician 37(3), for the sum of floats.
    """

    count: np.ndarray
    sum: np.ndarray
    cross: np.ndarray

    def __post_init__(self) -> None:
        count = finite_array("count", self.count, (None,), "iu")
        total = finite_array("sum", self.sum, (len(count), None))
        d = total.shape[1]
        cross = finite_array("cross", self.cross, (len(count), d, d))
        kinds = [str(array.dtype) for array in (count, total, cross)]
        if kinds not in (["int64"] * 3, ["int64", "float64", "float64"]):
            raise ValueError(
                "count must be int64, and sum and cross both int64 or both "
                f"float64; got {', '.join(kinds)}"
            )
        for label, products in enumerate(cross):
            if not np.array_equal(products, products.T):  # rounded, at most
                check_cov(f"cross[{label}]", products)
        object.__setattr__(self, "count", count)  # arrays, whatever was given
        object.__setattr__(self, "sum", total)
        object.__setattr__(self, "cross", cross)
        self._check_sums()

    @classmethod
    def empty(cls, d: int, n_classes: int = 10, exact: bool = True) -> Self:
        """Statistics of no rows, to begin with.

        Parameters
        ----------
        d : int
            Columns of the rows to come.
        n_classes : int
        exact : bool
            True for rows of uint8, False for rows of floats.

        Returns
        -------
        ClassStatistics
        """
        d = check_count("d", d, 1)
        n_classes = check_count("n_classes", n_classes, 1)
        dtype = np.int64 if exact else np.float64
        return cls(
            np.zeros(n_classes, np.int64),
            np.zeros((n_classes, d), dtype),
            np.zeros((n_classes, d, d), dtype),
        )

    @property
    def exact(self) -> bool:
        """Whether the statistics are whole numbers (of uint8 rows)."""
        return self.cross.dtype == np.int64

    @property
    def mean(self) -> np.ndarray:
        """Mean of each class: float64 ndarray of shape (n_classes, d)."""
        self._check_count(1)
        return self.sum / self.count[:, None]

    def cov(self, label: int, ddof: int = 0) -> np.ndarray:
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

    def update(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add rows, in place.

        Parameters
        ----------
        x : ndarray of shape (n, d) or images of shape (n, height, width)
            uint8 if the statistics are exact, else floating and finite.
        y : int ndarray of shape (n,)
            Classes, 0 to n_classes - 1.

        Raises
        ------
        ValueError
            If a shape, a dtype or a value does not fit; then no row has been
            added.
        """
        n_classes, d = self.sum.shape
        x = check_rows("x", _as_rows(x), d)
        y = check_labels("y", y, len(x), n_classes)
        if (x.dtype == np.uint8) != self.exact:
            kind = "uint8" if self.exact else "floating"
            raise ValueError(f"x must be {kind} here, got {x.dtype}")
        sums = _sums_of_whole_numbers if self.exact else _sums_of_floats
        for label in np.unique(y):
            rows = x[y == label]
            self._add(label, len(rows), *sums(rows))

    def __add__(self, other: Self) -> Self:
        total = type(self)(
            self.count.copy(), self.sum.copy(), self.cross.copy()
        )
        return total.__iadd__(other)

    def __iadd__(self, other: Self) -> Self:
        if not isinstance(other, ClassStatistics):
            return NotImplemented
        if self.sum.shape != other.sum.shape or self.exact != other.exact:
            raise ValueError(
                "statistics of different kinds do not add up: "
                f"{self.sum.dtype} of shape {self.sum.shape} and "
                f"{other.sum.dtype} of shape {other.sum.shape}"
            )
        parts = zip(other.count, other.sum, other.cross, strict=True)
        for label, part in enumerate(parts):
            self._add(label, *part)
        return self

    def _add(self, label, count, total, cross):
        """Add the sums of some rows of one class."""
        n = self.count[label]
        self.cross[label] += cross
        if not self.exact and n and count:  # Chan's merge
            difference = total / count - self.sum[label] / n
            difference *= np.sqrt(n * count / (n + count))
            self.cross[label] += np.outer(difference, difference)
        self.count[label] += count
        self.sum[label] += total

    def _check_sums(self):
        """Refuse sums that no rows have."""
        n = self.count[:, None]
        squares = np.diagonal(self.cross, axis1=1, axis2=2)
        least = np.zeros(self.sum.shape)
        if self.exact:  # by the inequality of Cauchy and Schwarz
            least = self.sum.astype(np.float64) ** 2 / np.maximum(n, 1)
        bad = (n < 0) | (squares < least * (1 - 1e-9))
        bad |= (n == 0) & ((self.sum != 0) | (squares != 0))
        if bad.any():
            label = int(bad.any(axis=1).argmax())
            raise ValueError(
                f"no rows have the count, sum and cross of class {label}; "
                "use class_statistics to find those of rows"
            )

    def _check_count(self, least, label=slice(None)):
        if np.min(self.count[label]) < least:
            which = "each class" if label == slice(None) else f"class {label}"
            raise ValueError(
                f"{which} needs at least {least} rows; the counts are "
                f"{self.count.tolist()}"
            )


def class_statistics(
    x: np.ndarray, y: np.ndarray, n_classes: int = 10
) -> ClassStatistics:
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
    x = _as_rows(x)
    found = ClassStatistics.empty(x.shape[1], n_classes, x.dtype == np.uint8)
    found.update(x, y)
    return found


def _as_rows(x):
    """Rows of uint8 or of floats; images become rows."""
    x = as_array("x", x)
    if x.ndim == 3:
        n, height, width = x.shape
        x = x.reshape(n, height * width)
    x = check_rows("x", x)
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise ValueError(f"x must be uint8 or floating, got {x.dtype}")
    return x


def _sums_of_whole_numbers(rows):
    """Sum of uint8 rows and of their products x x^T, as int64.

    float64 holds each whole number up to 2**53, and a product is 255**2 at
    most: for up to 2**37 rows nothing is rounded, whatever BLAS adds first.
    """
    total = rows.sum(axis=0, dtype=np.int64)
    inked = np.flatnonzero(total)  # the other pixels add nothing
    rows = rows[:, inked]
    products = np.zeros((len(inked), len(inked)), order="F")
    for start in range(0, len(rows) if len(inked) else 0, BLOCK):
        block = rows[start : start + BLOCK].astype(np.float64)
        products = dsyrk(1, block.T, 1, products, overwrite_c=True)
    cross = np.zeros((len(total), len(total)), np.int64)
    cross[np.ix_(inked, inked)] = _mirrored(products)
    return total, cross


def _sums_of_floats(rows):
    """Sum of float rows, and of products about their mean, as float64."""
    rows = rows.astype(np.float64)
    total = rows.sum(axis=0)
    rows -= total / len(rows)
    return total, _mirrored(dsyrk(1, rows.T))


def _mirrored(upper):
    """A symmetric matrix of its upper triangle; below it stand zeros."""
    return upper + np.triu(upper, 1).T
