"""Linear algebra of covariances: axes, factors, and low rank plus noise.

When is a covariance positive definite? A Cholesky factor alone does not tell:
rounding may make one for a singular matrix. Let v be a combination of the
coordinates x. Rounding the covariance can change the variance of v^T x by
some eps times the sum of the variances of its terms v_j x_j. So it must keep
more than `least_share` = 2 d eps of that sum. For a factor, v is the
coordinate that is known best from those before it, less its prediction
(`share_left`); for low rank plus noise, the noise of each coordinate is what
must be left of it. A share changes with no unit of measurement, hence
diag(1e-12, 1, 1e12) is positive definite.
"""

import numpy as np
import numpy.typing as npt
from scipy.linalg import (
    LinAlgError,
    cholesky,
    eigh,
    get_blas_funcs,
    solve_triangular,
)
from threadpoolctl import threadpool_limits

__all__ = [
    "check_semi_definite",
    "cholesky_factor",
    "least_share",
    "matmul",
    "noise_is_lost",
    "posterior_root",
    "principal_axes",
    "share_left",
]


@threadpool_limits.wrap(limits=1, user_api="blas")  # faster than by two
def principal_axes(
    cov: np.ndarray, n_axes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Leading eigenvalues and eigenvectors of a covariance.

    Parameters
    ----------
    cov : ndarray of shape (d, d)
        Symmetric.
    n_axes : int
        1 to d.

    Returns
    -------
    variance : ndarray of shape (n_axes,)
        From the largest down.
    vectors : ndarray of shape (d, n_axes)
        A column each. The sign is free; here the largest entry is positive.
    """
    d = len(cov)
    try:
        variance, vectors = eigh(cov, subset_by_index=[d - n_axes, d - 1])
    except LinAlgError:  # LAPACK may fail among equal eigenvalues
        variance, vectors = np.linalg.eigh(cov)
    variance, vectors = variance[::-1][:n_axes], vectors[:, ::-1][:, :n_axes]
    largest = np.abs(vectors).argmax(axis=0)
    return variance, vectors * np.sign(vectors[largest, np.arange(n_axes)])


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product a @ b, by SciPy's BLAS.

    It is as fast as NumPy's; in a browser NumPy has none, and takes thirty
    times as long.

    Parameters
    ----------
    a : ndarray of shape (n, d)
    b : ndarray of shape (d, k)
        Both float32, or float64.

    Returns
    -------
    ndarray of shape (n, k)
    """
    if not a.size or not b.size:  # BLAS takes no empty array
        return a @ b
    gemm = get_blas_funcs("gemm", (a, b))
    # BLAS stores columns, so it is given b.T and a.T
    (b, turn_b), (a, turn_a) = _as_columns(b.T), _as_columns(a.T)
    return gemm(1, b, a, trans_a=turn_b, trans_b=turn_a).T


def _as_columns(x):
    """An array stored by columns, and whether it is the transpose of x."""
    return (x, False) if x.flags.f_contiguous else (x.T, True)


def cholesky_factor(
    name: str, cov: np.ndarray, ridge: float = 0.0
) -> np.ndarray:
    """Lower Cholesky factor of cov + ridge * identity.

    Parameters
    ----------
    name : str
        Name of the covariance, for the message.
    cov : ndarray of shape (d, d)
        Symmetric.
    ridge : float
        Adds to each variance; it clips none.

    Returns
    -------
    ndarray of shape (d, d)

    Raises
    ------
    ValueError
        If the sum is not positive definite by more than rounding: if there
        is no factor, or `share_left` is at most `least_share`.
    """
    variance = np.abs(np.diag(cov)) + abs(ridge)
    try:
        factor = _cholesky(cov, ridge)
        if share_left(factor, variance) <= least_share(len(cov), cov.dtype):
            raise LinAlgError
    except LinAlgError:
        raise ValueError(
            f"{name} is not positive definite with a ridge of {ridge:g}; try "
            "a larger ridge, or a rank where no density is needed"
        ) from None
    return factor


def _cholesky(cov: np.ndarray, ridge: float) -> np.ndarray:
    cov = cov + ridge * np.eye(len(cov), dtype=cov.dtype)
    return cholesky(cov, lower=True, overwrite_a=True, check_finite=False)


def least_share(d: int, dtype: npt.DTypeLike) -> float:
    """Share of a variance that rounding may make up, 2 d eps."""
    return 2 * d * float(np.finfo(dtype).eps)


def share_left(factor: np.ndarray, variance: np.ndarray) -> float:
    """Variance left in the combination of coordinates that has hardly any.

    It is the coordinate that is best predicted by those before it, less its
    prediction. O(d^2).

    Parameters
    ----------
    factor : ndarray of shape (d, d)
        Lower Cholesky factor.
    variance : ndarray of shape (d,)
        Of each coordinate.

    Returns
    -------
    float
        Variance of the combination over the sum of its terms' variances, 0
        to 1: 1 if no coordinate depends on others.
    """
    last = int((np.diag(factor) ** 2 / variance).argmin())
    unit = np.zeros(len(factor), factor.dtype)
    unit[last] = factor[last, last]
    weights = solve_triangular(
        factor, unit, lower=True, trans=1, check_finite=False
    )
    terms = weights * np.sqrt(variance)
    return float((unit[last] / np.linalg.norm(terms)) ** 2)


def noise_is_lost(loadings: np.ndarray, noise_variance: np.ndarray) -> bool:
    """Whether a coordinate's noise is at most rounding beside its variance.

    Parameters
    ----------
    loadings : ndarray of shape (..., d, k)
    noise_variance : ndarray of shape (..., d)

    Returns
    -------
    bool
        If not, loadings @ loadings.T + diag(noise_variance) is positive
        definite by `least_share`.
    """
    variance = np.square(loadings).sum(axis=-1) + 1.0 * noise_variance
    least = least_share(variance.shape[-1], variance.dtype)
    return bool((noise_variance <= least * variance).any())


def check_semi_definite(name: str, cov: np.ndarray) -> None:
    """Check that no eigenvalue is below 0 by more than rounding.

    That is d eps times the sum of the variances.
    """
    tolerance = len(cov) * np.finfo(cov.dtype).eps * np.trace(cov)
    try:
        _cholesky(cov, max(tolerance, np.finfo(cov.dtype).tiny))
    except LinAlgError:
        raise ValueError(f"{name} has a negative eigenvalue") from None


def posterior_root(
    loadings: np.ndarray, noise_variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Root of the covariance of the latents z given x = W z + noise.

    That covariance is the inverse of M = I + W^T diag(1 / noise_variance) W,
    of k rows instead of d; by it the covariance of x is inverted, too.

    Parameters
    ----------
    loadings : ndarray of shape (..., d, k)
        W, of one model or of a stack of them.
    noise_variance : ndarray of shape (..., d)
        Above 0.

    Returns
    -------
    scaled : ndarray of shape (..., d, k)
        W / noise_variance.
    root : ndarray of shape (..., k, k)
        Inverse of the lower Cholesky factor of M: M^-1 is root^T @ root, and
        log det M is -2 times the sum of the logarithms of its diagonal.
    """
    scaled = loadings / noise_variance[..., None]
    inner = np.eye(loadings.shape[-1]) + loadings.mT @ scaled
    return scaled, np.linalg.inv(np.linalg.cholesky(inner))
