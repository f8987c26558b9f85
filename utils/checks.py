"""Checks that the public functions make on what they are given.

Each one raises a ValueError that names the argument and what arrived.
"""

import os
from numbers import Integral
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = [
    "as_array",
    "check_count",
    "check_cov",
    "check_labels",
    "check_number",
    "check_rng",
    "check_rows",
    "finite_array",
    "kind_of_file",
]


def as_array(name: str, values: npt.ArrayLike) -> np.ndarray:
    """Array of some values, which must not be ragged."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None


def finite_array(
    name: str,
    array: npt.ArrayLike,
    shape: tuple[int | None, ...],
    kinds: str = "fiu",
) -> np.ndarray:
    """Array of a given shape whose values are finite numbers.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    array : array_like
    shape : tuple
        Length of each axis; None where any length will do.
    kinds : str
        The dtype kinds allowed: f floating, i and u integer, b boolean.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        On another shape or dtype, or where a value is NaN or infinite.
    """
    values = as_array(name, array)
    fits = values.ndim == len(shape) and all(
        want in (None, got)
        for want, got in zip(shape, values.shape, strict=True)
    )
    if not fits:
        want = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(
            f"{name} must have shape ({want}), got {values.shape}"
        )
    if values.dtype.kind not in kinds:
        raise ValueError(f"{name} has a dtype of no use here: {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite")
    return values


def check_rows(
    name: str, x: npt.ArrayLike, d: int | None = None, kinds: str = "fiu"
) -> np.ndarray:
    """Check a table of shape (n, d) with at least one row."""
    x = finite_array(name, x, (None, d), kinds)
    if 0 in x.shape:
        raise ValueError(f"{name} is empty: its shape is {x.shape}")
    return x


def check_labels(
    name: str, y: npt.ArrayLike, n: int, n_classes: int
) -> np.ndarray:
    """Check labels of shape (n,), whole numbers from 0 to n_classes - 1."""
    y = finite_array(name, y, (None,), kinds="iu")
    if len(y) != n:
        raise ValueError(f"{name} has {len(y)} labels for {n} rows")
    if n and not (0 <= y.min() and y.max() < n_classes):
        raise ValueError(
            f"{name} must lie in 0 ... {n_classes - 1}, "
            f"got {y.min()} ... {y.max()}"
        )
    return y.astype(np.intp, copy=False)


def check_count(name: str, n: int, least: int = 0) -> int:
    """Check that n is a whole number, and not below `least`."""
    if isinstance(n, bool) or not isinstance(n, Integral) or n < least:
        raise ValueError(
            f"{name} must be a whole number, at least {least}; got {n!r}"
        )
    return int(n)


def check_number(name: str, value: float) -> None:
    """Check that a value is a finite number, and not below 0."""
    fits = isinstance(value, int | float | np.number) and value >= 0
    if not fits or isinstance(value, bool) or not value < np.inf:
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")


def check_cov(
    name: str, cov: npt.ArrayLike, d: int | None = None
) -> np.ndarray:
    """Check that a matrix of shape (d, d), d > 0, is symmetric."""
    cov = finite_array(name, cov, (d, d))
    if cov.dtype.kind != "f":
        cov = cov.astype(np.float64)
    if cov.shape[0] != cov.shape[1] or cov.size == 0:
        raise ValueError(f"{name} must be square, got shape {cov.shape}")
    scale = np.abs(cov).max()
    eps = np.finfo(cov.dtype).eps
    asymmetry = np.abs(cov - cov.T).max()
    if asymmetry > 100 * eps * scale:
        raise ValueError(
            f"{name} is not symmetric: entries differ by {asymmetry:.2g}"
        )
    return cov


def check_rng(name: str, rng: np.random.Generator) -> np.random.Generator:
    """Check that rng is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"{name} must be a numpy.random.Generator, for example "
            f"numpy.random.default_rng(0); got {type(rng).__name__}"
        )
    return rng


def kind_of_file(file: str | os.PathLike, error: Exception) -> str:
    """Say what a file is that NumPy does not read as npz.

    NumPy advises to read it as a pickle, which may run what is in it.
    """
    if Path(file).is_dir():
        return "a folder"
    with open(file, "rb") as stream:
        head = stream.read(200).lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of git-lfs, for which git lfs pull gets the file"
    if head.startswith(b"<"):
        return "a web page"
    if head.startswith(b"\x93numpy"):
        return "a single array"
    if not head.startswith(b"pk"):
        return "another kind of file" if head else "an empty file"
    if "pickle" in str(error):
        return "arrays of Python objects"
    return f"{type(error).__name__}: {error}"
