"""More digits out of those there are: each moved and turned at random."""

from functools import cache

import numpy as np
from scipy.ndimage import rotate
from scipy.sparse import csr_array

from utils.checks import check_count, check_labels, check_rng, check_rows

__all__ = ["augment"]

SIDE = 28


def augment(
    x: np.ndarray,
    y: np.ndarray,
    n: int,
    rng: np.random.Generator,
    shift: int = 2,
    angle: int = 10,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n digits, each moved and turned a little at random.

    Parameters
    ----------
    x : uint8 ndarray of shape (m, 784)
    y : int ndarray of shape (m,)
    n : int
    rng : numpy.random.Generator
    shift : int
        Most pixels to each side.
    angle : int
        Most degrees to each side; angles are whole degrees.

    Returns
    -------
    x : uint8 ndarray of shape (n, 784)
    y : int ndarray of shape (n,)

    Raises
    ------
    ValueError
        If an argument does not fit.
    """
    x = check_rows("x", x, SIDE**2)
    if x.dtype != np.uint8:
        raise ValueError(f"x must be uint8, got {x.dtype}")
    y = check_labels("y", y, len(x), 256)
    n = check_count("n", n)
    check_rng("rng", rng)
    shift, angle = check_count("shift", shift), check_count("angle", angle)
    chosen = rng.integers(len(x), size=n)
    moves = rng.integers(-shift, shift + 1, size=(n, 2))
    angles = rng.integers(-angle, angle + 1, size=n)
    drawn = np.empty((n, SIDE**2), np.uint8)
    for turn in np.unique(angles):
        rows = np.flatnonzero(angles == turn)
        turned = _rotation(turn) @ _moved(x[chosen[rows]], moves[rows]).T
        drawn[rows] = np.rint(turned.T)
    return drawn, y[chosen]


def _moved(x, moves):
    """Each row's picture, moved by whole pixels down and to the right."""
    margin = np.abs(moves).max(initial=0)
    pad = [(0, 0), (margin, margin), (margin, margin)]
    padded = np.pad(x.reshape(-1, SIDE, SIDE), pad)
    down, right = (margin - moves[:, :, None] + np.arange(SIDE)).swapaxes(0, 1)
    at = np.arange(len(x))[:, None, None]
    moved = padded[at, down[:, :, None], right[:, None, :]]
    return moved.reshape(-1, SIDE**2).astype(np.float32)


@cache
def _rotation(angle):
    """Rotation by some degrees as a sparse matrix: it is linear."""
    pixels = np.eye(SIDE**2, dtype=np.float32).reshape(-1, SIDE, SIDE)
    turned = rotate(pixels, angle, axes=(1, 2), reshape=False, order=1)
    return csr_array(turned.reshape(len(turned), -1).T)
