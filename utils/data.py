"""The MNIST digits, and the ways of preparing them."""

import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.special import expit

from utils.checks import (
    as_array,
    check_count,
    check_rng,
    finite_array,
    kind_of_file,
)

__all__ = [
    "dequantize",
    "from_logit",
    "load_mnist",
    "preprocess",
    "to_images",
    "to_logit",
    "validation_split",
]

MNIST_FILE = Path(__file__).with_name("mnist.npz")
RESTORE = "Restore it, for example: git checkout -- "
SHAPE = {
    "x_train": (60_000, 28, 28),
    "y_train": (60_000,),
    "x_test": (10_000, 28, 28),
    "y_test": (10_000,),
}
SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba1"
    "84c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b286"
    "6434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3"
    "932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c862"
    "39a3a1b7d37da0c3716a7a683c852ff5",
}


Pair = tuple[np.ndarray, np.ndarray]  # rows and their labels


def check_mnist(
    arrays: Mapping[str, np.ndarray], where: str | os.PathLike, remedy: str
) -> None:
    """Raise a ValueError unless these four arrays are MNIST's."""
    for name, expected in SHA256.items():
        array = arrays[name]
        if array.shape != SHAPE[name] or array.dtype != np.uint8:
            raise ValueError(
                f"{name} in {where} must be uint8 of shape {SHAPE[name]}, "
                f"found {array.dtype} of shape {array.shape}. {remedy}"
            )
        found = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        if found != expected:
            raise ValueError(
                f"{name} in {where} is not the MNIST array: expected sha256 "
                f"{expected}, found {found}. {remedy}"
            )


def load_mnist(source: str = "bundled") -> tuple[Pair, Pair]:
    """Load the 70,000 MNIST digits; no network is needed.

    Parameters
    ----------
    source : {"bundled", "keras"}
        "bundled" reads the file that comes with this package. "keras" asks
        ``keras.datasets.mnist.load_data()``, which downloads the digits the
        first time (with KERAS_BACKEND=jax unless that is set). Both give the
        same arrays, and both are checked.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of uint8 ndarrays
        Images of shape (60000, 28, 28) and (10000, 28, 28), 0 for paper to
        255 for full ink, and their labels, 0 to 9.

    Raises
    ------
    FileNotFoundError
        If the bundled file is missing.
    ValueError
        If a file is damaged or is not MNIST; the message names the file.

    References
    ----------
    LeCun, Cortes and Burges, The MNIST database of handwritten digits.
    LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied
    to document recognition, Proceedings of the IEEE 86(11).
    """
    if source == "bundled":
        arrays = _read_bundled()
        check_mnist(arrays, MNIST_FILE, f"{RESTORE}{MNIST_FILE}")
    elif source == "keras":
        os.environ.setdefault("KERAS_BACKEND", "jax")
        from keras.datasets import mnist

        pairs = mnist.load_data()
        arrays = dict(zip(SHA256, (*pairs[0], *pairs[1]), strict=True))
        remedy = "Delete mnist.npz in Keras's cache (~/.keras/datasets)."
        check_mnist(arrays, "the download of keras.datasets.mnist", remedy)
    else:
        raise ValueError(
            f"source must be 'bundled' or 'keras', got {source!r}"
        )
    return (
        (arrays["x_train"], arrays["y_train"]),
        (arrays["x_test"], arrays["y_test"]),
    )


def _read_bundled():
    """Read the four arrays of the bundled file."""
    if not MNIST_FILE.exists():
        raise FileNotFoundError(
            f"{MNIST_FILE} is missing; it holds the MNIST digits. "
            f"{RESTORE}{MNIST_FILE}"
        )
    try:
        with (
            MNIST_FILE.open("rb") as raw,
            np.load(raw, allow_pickle=False) as file,
        ):
            return {name: np.asarray(file[name]) for name in SHA256}
    except Exception as error:  # zip and zlib fail in a dozen ways
        raise ValueError(
            f"{MNIST_FILE} is damaged: expected an npz file with the arrays "
            f"{', '.join(SHA256)}, found {kind_of_file(MNIST_FILE, error)}. "
            f"{RESTORE}{MNIST_FILE}"
        ) from error


def preprocess(images: np.ndarray) -> np.ndarray:
    """Flatten images and scale them to [0, 1].

    Parameters
    ----------
    images : uint8 ndarray of shape (n, height, width)

    Returns
    -------
    float32 ndarray of shape (n, height * width)
        Grey levels divided by 255.

    Raises
    ------
    ValueError
        If the shape or the dtype is another one.
    """
    images = finite_array("images", images, (None, None, None))
    if images.dtype != np.uint8:
        raise ValueError(f"images must be uint8, got {images.dtype}")
    n, height, width = images.shape
    return images.reshape(n, height * width) / np.float32(255)


def to_images(x: np.ndarray) -> np.ndarray:
    """Undo `preprocess`: rows of values in [0, 1] to square uint8 images.

    Values outside [0, 1] are clipped, and the rest rounded to the nearest of
    the 256 grey levels.

    Parameters
    ----------
    x : float ndarray of shape (n, side * side)

    Returns
    -------
    uint8 ndarray of shape (n, side, side)

    Raises
    ------
    ValueError
        If the row length is not a square, or a value is not finite.
    """
    x = finite_array("x", x, (None, None), kinds="f")
    side = math.isqrt(x.shape[1])
    if side * side != x.shape[1]:
        raise ValueError(f"x must have side * side columns, got {x.shape}")
    levels = np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)
    return levels.reshape(len(x), side, side)


def validation_split(
    x: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[Pair, Pair]:
    """Set n rows aside for validation, the same share of each class.

    Parameters
    ----------
    x : ndarray of shape (n_rows, ...)
    y : int ndarray of shape (n_rows,)
        Class of each row.
    n : int
        Rows to set aside, between 1 and n_rows - 1.
    rng : numpy.random.Generator

    Returns
    -------
    (x_fit, y_fit), (x_val, y_val) : tuples of ndarrays
        Shuffled; together they hold each row once.

    Raises
    ------
    ValueError
        If the lengths differ, n is out of range, or a class has too few rows
        to stand on both sides.
    """
    from sklearn.model_selection import train_test_split

    x, y = as_array("x", x), finite_array("y", y, (None,), kinds="iu")
    n = check_count("n", n, 1)
    check_rng("rng", rng)
    if x.shape[:1] != y.shape:
        raise ValueError(f"x has shape {x.shape}, y has {len(y)} labels")
    classes, counts = np.unique(y, return_counts=True)
    least, most = len(classes), len(y) - len(classes)
    if not least <= n <= most:
        raise ValueError(f"n must lie in {least} ... {most}, got {n}")
    if counts.min() < 2:
        raise ValueError(f"y has one row of class {classes[counts.argmin()]}")
    seed = int(rng.integers(2**32))
    fit, val = train_test_split(
        np.arange(len(y)), test_size=n, stratify=y, random_state=seed
    )
    for side in (fit, val):
        if len(np.unique(y[side])) < len(classes):
            raise ValueError(f"y has a class too rare for n = {n}: {counts}")
    return (x[fit], y[fit]), (x[val], y[val])


def dequantize(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spread each grey level evenly over its bin: (x + u) / 256.

    Bits per dimension in this collection are of dequantised digits, but for
    models of the 256 levels.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, ...)
        Grey levels, 0 to 255.
    rng : numpy.random.Generator
        Source of u, uniform on [0, 1), one draw a pixel.

    Returns
    -------
    float32 ndarray of shape (n, d)
        Values in [0, 1).

    Raises
    ------
    ValueError
        If images are not uint8.

    References
    ----------
    Theis, van den Oord and Bethge (2016), A note on the evaluation of
    generative models, section 3.1, arXiv:1511.01844.
    """
    images = as_array("images", images)
    if images.dtype != np.uint8 or images.ndim < 2:
        raise ValueError(
            "images must be uint8 of shape (n, ...), got "
            f"{images.dtype} of shape {images.shape}"
        )
    check_rng("rng", rng)
    x = images.reshape(len(images), math.prod(images.shape[1:]))
    values = rng.random(x.shape, dtype=np.float32)
    values += x
    # float32 holds x + u to 2**-16, so that x + u may round up to x + 1
    below = np.nextafter(np.arange(1, 257, dtype=np.float32), 0)
    np.minimum(values, below[x], out=values)
    values /= 256
    return values


def to_logit(
    x: np.ndarray, alpha: float = 1e-6
) -> tuple[np.ndarray, np.ndarray]:
    """Spread [0, 1] over the whole line: t = logit(alpha + (1 - 2 alpha) x).

    A density p of t gives one of x, by the change of variables:
    log p(x) = log p(t) + log_det.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Values in [0, 1], for example from `dequantize`.
    alpha : float
        Keeps 0 and 1 finite. Densities in logit space compare only where
        alpha is the same.

    Returns
    -------
    t : float64 ndarray of shape (n, d)
    log_det : float64 ndarray of shape (n,)
        Sum over the pixels of log |dt/dx|, in nats.

    Raises
    ------
    ValueError
        If x does not lie in [0, 1], or alpha not in (0, 0.5).

    References
    ----------
    Papamakarios, Pavlakou and Murray (2017), Masked autoregressive flow for
    density estimation, arXiv:1705.07057, appendix E.
    """
    x = finite_array("x", x, (None, None))
    _check_alpha(alpha)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            f"x must lie in [0, 1], got {x.min():.3g} ... {x.max():.3g}"
        )
    x = x.astype(np.float64)
    log_s = np.log(alpha + (1 - 2 * alpha) * x)
    log_rest = np.log(alpha + (1 - 2 * alpha) * (1 - x))
    log_det = x.shape[1] * np.log1p(-2 * alpha)
    return log_s - log_rest, log_det - (log_s + log_rest).sum(axis=1)


def from_logit(t: np.ndarray, alpha: float = 1e-6) -> np.ndarray:
    """Undo `to_logit`: x = (sigmoid(t) - alpha) / (1 - 2 alpha).

    Parameters
    ----------
    t : ndarray of shape (n, d)
    alpha : float

    Returns
    -------
    float64 ndarray of shape (n, d)
        Between -alpha and 1 + alpha, nearly.
    """
    t = finite_array("t", t, (None, None))
    _check_alpha(alpha)
    return (expit(t.astype(np.float64)) - alpha) / (1 - 2 * alpha)


def _check_alpha(alpha):
    """Check that alpha leaves room between 0 and 1."""
    if not (isinstance(alpha, float) and 0 < alpha < 0.5):
        raise ValueError(f"alpha must lie in (0, 0.5), got {alpha!r}")
