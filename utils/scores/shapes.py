"""Shapes: where a picture has ink, whatever the tone of it.

A set of pictures is cut at the grey level that leaves as much ink as real
digits have. Then the judge reads them, and what it finds where is told by
128 fixed numbers.
"""

import io
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.checks import check_rows
from utils.linalg import principal_axes
from utils.scores.judge import checked_bytes, read_digits

__all__ = ["Shapes", "cut", "fit_axes", "read_shapes"]

INK = 0.132  # share of the pixels of training digits that are above 1/2
N_AXES, RIDGE = 128, 0.1
AXES_FILE = Path(__file__).with_name("axes.npz")
AXES_SHA256 = (
    "3ff186b3696b09173fe408444d75941b8d2a5b63355a2d6070d35032a29d2937"
)


class Shapes(NamedTuple):
    """What the judge says of n pictures that were cut: float32 arrays.

    Attributes
    ----------
    probs : ndarray of shape (n, 10)
        Probability of each digit.
    z : ndarray of shape (n, 128)
        Positions along the axes. Those of real digits vary by about 1 along
        each, and by less along the last ones.
    """

    probs: np.ndarray
    z: np.ndarray


def cut(x: np.ndarray) -> np.ndarray:
    """Make pictures of pure ink and paper, all at one grey level.

    The level leaves as much ink in the whole set as real digits have: 13.2 %
    of the pixels. No rising tone curve changes the result, unless it makes
    several levels one.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Grey levels, more for more ink, on any scale.

    Returns
    -------
    float32 ndarray of shape (n, d)
        Zeros and ones. Where many pixels have the very level, all of them or
        none become ink, whichever share is nearer to that of real digits; so
        a set of a single grey becomes paper.

    Raises
    ------
    ValueError
        If x is empty, no matrix, or holds a value that is not finite.
    """
    x = check_rows("x", x)
    place = x.size - max(round(INK * x.size), 1)
    level = np.partition(x, place, axis=None)[place]
    more, less = x >= level, x > level
    nearer = more.mean() - INK < INK - less.mean()
    return (more if nearer else less).astype(np.float32)


def read_shapes(x: np.ndarray) -> Shapes:
    """Cut a set of pictures, and let the judge read them.

    Parameters
    ----------
    x : ndarray of shape (n, 784)
        Grey levels, more for more ink.

    Returns
    -------
    Shapes

    Raises
    ------
    ValueError
        If x has another shape or holds a value that is not finite.
    """
    mean, axes = load_axes()
    reading = read_digits(cut(check_rows("x", x, 784)))
    return Shapes(reading.probs, (reading.maps - mean) @ axes)


def fit_axes(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes of the judge's maps: principal axes, each divided by its scale.

    Parameters
    ----------
    maps : ndarray of shape (n, 1152)
        Of digits that the judge was trained on, cut.

    Returns
    -------
    mean : float32 ndarray of shape (1152,)
    axes : float32 ndarray of shape (1152, 128)
        Divided by sqrt(variance + 0.1 mean variance): along each axis real
        digits vary about as much, and those of small variance do not count
        for more than they tell.
    """
    mean = maps.mean(axis=0, dtype=np.float64)
    cov = np.cov(maps, rowvar=False, dtype=np.float64)
    variance, vectors = principal_axes(cov, N_AXES)
    axes = vectors / np.sqrt(variance + RIDGE * variance.mean())
    return mean.astype(np.float32), axes.astype(np.float32)


@cache
def load_axes() -> tuple[np.ndarray, np.ndarray]:
    """Mean and axes that tools/make_judge.py has stored.

    Raises
    ------
    FileNotFoundError
        If their file is missing.
    ValueError
        If it is not the one that belongs to the judge.
    """
    raw = checked_bytes(AXES_FILE, AXES_SHA256, "the judge's axes")
    with np.load(io.BytesIO(raw), allow_pickle=False) as file:
        return file["mean"], file["axes"]
