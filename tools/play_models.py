"""The models of the page "Draw a digit", as lessons 07 and 08 fit them.

Lesson 07: a low-rank Gaussian for each digit, PPCA of rank 20. Lesson 08: a
mixture of 20 Gaussians for each digit, along the first 50 principal axes.
Each number is kept in 16 bits: a whole number, times a scale that its
neighbours share.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp

from utils.data import dequantize, load_mnist
from utils.gaussian import Gaussian
from utils.linalg import principal_axes
from utils.lowrank import LowRankGaussian, fit_ppca
from utils.mixture import Mixture, fit_mixture
from utils.scores.fingerprint import fingerprint
from utils.statistics import class_statistics

RANK = 20
GREY = 1 / 256  # densities are those of (x + u) / 256
FLOOR = GREY**2 / 12  # variance of u / 256
N_AXES = 50
PLUMP: dict[str, Any] = dict(n_components=20, ridge=0.1, tol=0.3)
SEED = 8
QUANTILES = np.linspace(0, 1, 1001)
LOWER = np.tril_indices(N_AXES)

Arrays = dict[str, np.ndarray]


def code() -> str:
    """Fingerprint of this file and of what it fits by."""
    return fingerprint([Path(__file__).read_text("utf-8")])


def to_rows(images: np.ndarray) -> np.ndarray:
    """Levels 0 to 255 as rows (x + 1/2) / 256: u is at its mean.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, 28, 28) or (n, 784)

    Returns
    -------
    float64 ndarray of shape (n, 784)
    """
    return (images.reshape(len(images), -1) + 0.5) * GREY


def fit() -> Arrays:
    """Fit both, to the 60,000 training digits.

    Returns
    -------
    dict of ndarrays
        counts (10,); of PPCA mean (10, 784), loadings (10, 784, 20) and noise
        (10,); centre (784,) and axes (784, 50); of the mixtures weights
        (10, 20), means (10, 20, 50) and factors (10, 20, 1275), the lower
        triangles of Cholesky factors, a row after the other.
    """
    (x, y), _ = load_mnist()
    stats = class_statistics(x, y)
    ten = []
    for c in range(10):
        cov = stats.cov(c) * GREY**2 + FLOOR * np.eye(784)
        ten.append(fit_ppca((stats.mean[c] + 0.5) * GREY, cov, RANK))
    del stats  # 49 MB
    of_all = class_statistics(x, np.zeros(len(x), int), 1)
    centre = (of_all.mean[0] + 0.5) * GREY
    axes = principal_axes(of_all.cov(0), N_AXES)[1]
    rng = np.random.default_rng(SEED)
    mixtures = []
    for c in range(10):
        turned = (dequantize(x[y == c], rng) - centre) @ axes
        turned = turned.astype(np.float32)
        mixtures.append(fit_mixture(turned, rng=rng, **PLUMP))
    parts = [part for model in mixtures for part in model.components]
    means = np.stack([part.mean for part in parts])
    factors = np.stack([part.factor[LOWER] for part in parts])
    return {
        "counts": np.bincount(y),
        "mean": np.stack([model.mean for model in ten]),
        "loadings": np.stack([model.loadings for model in ten]),
        "noise": np.array([model.noise_variance[0] for model in ten]),
        "centre": centre,
        "axes": axes,
        "weights": np.stack([model.weights for model in mixtures]),
        "means": means.reshape(10, -1, N_AXES),
        "factors": factors.reshape(10, means.shape[0] // 10, -1),
    }


def to_16_bits(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Round to whole numbers of 16 bits, times a scale.

    Parameters
    ----------
    x : ndarray
    axis : int
        Along which numbers share a scale.

    Returns
    -------
    levels : int16 ndarray of the shape of x
    scale : float32 ndarray
        The shape of x, with 1 along the axis.
    """
    largest = np.abs(x).max(axis=axis, keepdims=True)
    largest[largest == 0] = 1
    scale = (largest / 32766).astype(np.float32)  # 32767 may round beyond
    return np.rint(x / scale).astype(np.int16), scale


# along which axis the numbers of a large array share a scale
SHARED = {"mean": 1, "loadings": 1, "centre": 0, "axes": 0}
SHARED |= {"means": 1, "factors": 2}


def squeeze(arrays: Arrays) -> Arrays:
    """Round the large arrays; the scale of NAME is NAME_scale."""
    small = {}
    for name, x in arrays.items():
        if name in SHARED:
            small[name], small[name + "_scale"] = to_16_bits(x, SHARED[name])
        else:
            small[name] = x.astype(np.float32)
    return small


def expand(small: Arrays) -> Arrays:
    """Undo `squeeze`, but for the rounding."""
    return {
        name: small[name] * small[name + "_scale"].astype(float)
        if name in SHARED
        else small[name].astype(float)
        for name in small
        if not name.endswith("_scale")
    }


def as_models(arrays: Arrays) -> tuple[list[LowRankGaussian], list[Mixture]]:
    """Models of `utils` for each digit, from what `fit` gives."""
    noise = np.repeat(arrays["noise"][:, None], 784, axis=1)
    ppca = map(LowRankGaussian, arrays["mean"], arrays["loadings"], noise)
    mixtures = []
    for c, weights in enumerate(arrays["weights"]):
        parts = []
        for k, mean in enumerate(arrays["means"][c]):
            factor = np.zeros((N_AXES, N_AXES))
            factor[LOWER] = arrays["factors"][c, k]
            parts.append(Gaussian(mean, factor))
        mixtures.append(Mixture(weights / weights.sum(), tuple(parts)))
    return list(ppca), mixtures


def log_joint(arrays: Arrays, x: np.ndarray) -> np.ndarray:
    """Logarithm of p(x, class) under both.

    Parameters
    ----------
    arrays : dict
        As `fit` gives it.
    x : ndarray of shape (n, 784)
        As `to_rows` gives it.

    Returns
    -------
    ndarray of shape (2, n, 10)
        In nats: of all pixels by lesson 07, along 50 axes by lesson 08.
    """
    prior = np.log(arrays["counts"] / arrays["counts"].sum())
    turned = (x - arrays["centre"]) @ arrays["axes"]
    ppca, mixtures = as_models(arrays)
    joint = [
        [model.log_prob(x) for model in ppca],
        [model.log_prob(turned) for model in mixtures],
    ]
    return np.swapaxes(joint, 1, 2) + prior


def store(path: Path) -> str:
    """Fit, and write what the page needs.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        A line a model: what rounding has changed, on the test digits.
    """
    exact = fit()
    small = squeeze(exact)
    _, (x, y) = load_mnist()
    rows = to_rows(x)
    before, after = log_joint(exact, rows), log_joint(expand(small), rows)
    log_p = logsumexp(after, axis=2)
    quantiles = np.quantile(log_p, QUANTILES, axis=1).T
    small["quantiles"] = quantiles.astype(np.float32)
    shift = np.abs(log_p - logsumexp(before, axis=2)).max(axis=1)
    gap = np.abs(_softmax(after) - _softmax(before)).max(axis=(1, 2))
    small["rounding"] = np.array([shift, gap], np.float32)
    file, kept = io.BytesIO(), dict[str, Any](small, code=np.array(code()))
    np.savez_compressed(file, **kept)
    path.write_bytes(file.getvalue())
    lines = [f"{path.name}: {len(file.getvalue()):,} bytes"]
    right = (after.argmax(axis=2) == y).mean(axis=1)
    for lesson, s, g, r in zip((7, 8), shift, gap, right, strict=True):
        lines.append(
            f"lesson {lesson:02}: {r:.2%} of the test digits right; rounding "
            f"moves log p by at most {s:.4f}, a posterior by {g:.4f}"
        )
    return "\n".join(lines)


def _softmax(joint):
    return np.exp(joint - logsumexp(joint, axis=2, keepdims=True))


def load(path: Path) -> Arrays:
    """Read what `store` has written."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != "code"}


def stored_code(path: Path) -> str:
    """Fingerprint of the code that `store` had, or "" if there is no file."""
    if not path.is_file():
        return ""
    with np.load(path, allow_pickle=False) as file:
        return str(file["code"])
