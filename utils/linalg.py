"""Linear algebra of covariances: axes, factors, and low rank plus noise."""

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigh

__all__ = [
    "check_semi_definite",
    "cholesky_factor",
    "posterior_root",
    "principal_axes",
]


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
        If the sum is not positive definite.
    """
    cov = cov + ridge * np.eye(len(cov), dtype=cov.dtype)
    try:
        return cholesky(cov, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError as error:
        raise ValueError(
            f"{name} is not positive definite with a ridge of {ridge:g} "
            f"({error}); try a larger ridge, or choose a rank"
        ) from None


def check_semi_definite(name: str, cov: np.ndarray) -> None:
    """Check that no eigenvalue is below 0 by more than rounding."""
    tolerance = len(cov) * np.finfo(cov.dtype).eps * np.trace(cov)
    try:
        cholesky_factor(name, cov, max(tolerance, np.finfo(cov.dtype).tiny))
    except ValueError:
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
