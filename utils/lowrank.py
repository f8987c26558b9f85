"""Gaussians of low rank: a few directions, and noise in each coordinate."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from utils.checks import (
    check_count,
    check_cov,
    check_number,
    check_rng,
    check_rows,
    finite_array,
)
from utils.linalg import (
    least_share,
    noise_is_lost,
    posterior_root,
    principal_axes,
)

__all__ = [
    "LowRankGaussian",
    "factor_m_step",
    "fit_factor_analysis",
    "fit_ppca",
]

ROWS = 1000  # whose densities are found at once: a few MB


@dataclass(frozen=True, eq=False)
class LowRankGaussian:
    """A normal of covariance loadings @ loadings.T + diag(noise_variance).

    That matrix is never built: a row costs O(d k).

    Attributes
    ----------
    mean : ndarray of shape (d,)
    loadings : ndarray of shape (d, k)
    noise_variance : ndarray of shape (d,)
        Of each coordinate, above 0, and by more than rounding beside its
        whole variance, see `utils.linalg`.

    Raises
    ------
    ValueError
        If a shape does not fit, a number is not finite, or the noise of a
        coordinate is too small.
    """

    mean: np.ndarray
    loadings: np.ndarray
    noise_variance: np.ndarray

    def __post_init__(self) -> None:
        mean = finite_array("mean", self.mean, (None,))
        loadings = finite_array("loadings", self.loadings, (len(mean), None))
        noise = finite_array("noise_variance", self.noise_variance, mean.shape)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "loadings", loadings)
        object.__setattr__(self, "noise_variance", noise)
        if len(mean) and noise.min() <= 0:
            raise ValueError(
                f"noise_variance must be above 0, its least is {noise.min():g}"
            )
        if noise_is_lost(loadings, noise):
            raise ValueError(
                "noise_variance is lost in rounding beside the variance by "
                f"loadings: its least is {noise.min():g}; try a larger one"
            )

    @property
    def n_parameters(self) -> int:
        """Free numbers: d for the mean, d k - k (k - 1) / 2 for the loadings
        (a rotation of the latents changes nothing), and d for the noise, or
        1 if it is alike in all coordinates.
        """
        d, k = self.loadings.shape
        k = min(k, d)
        alike = np.ptp(self.noise_variance) == 0
        return d + d * k - k * (k - 1) // 2 + (1 if alike else d)

    @cached_property
    def _posterior_root(self) -> tuple[np.ndarray, np.ndarray]:
        return posterior_root(self.loadings, self.noise_variance)

    def posterior(self, x: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Normal law of the latents z of each row, p(z | x).

        Parameters
        ----------
        x : ndarray of shape (n, d)

        Returns
        -------
        mean : ndarray of shape (n, k)
        cov : ndarray of shape (k, k)
            The same for each row.

        References
        ----------
        Bishop (2006), Pattern Recognition and Machine Learning, eq. 12.66.
        """
        x = check_rows("x", x, len(self.mean))
        scaled, root = self._posterior_root
        cov = root.T @ root
        return (x - self.mean) @ (scaled @ cov), cov

    def sample(
        self, n: int, rng: np.random.Generator, add_noise: bool = True
    ) -> np.ndarray:
        """Draw n rows, mean + loadings z, and noise unless it is left out.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator
        add_noise : bool
            Without noise the rows lie on a plane of k dimensions, and are no
            samples of the fitted law.

        Returns
        -------
        ndarray of shape (n, d)

        Raises
        ------
        ValueError
            If n is negative or not whole.
        """
        n = check_count("n", n)
        check_rng("rng", rng)
        x = rng.standard_normal((n, self.loadings.shape[1])) @ self.loadings.T
        x += self.mean
        if add_noise:
            x += rng.standard_normal(x.shape) * np.sqrt(self.noise_variance)
        return x

    def log_prob(self, x: npt.ArrayLike) -> np.ndarray:
        """Natural logarithm of the density at each row.

        By the matrix inversion and determinant lemmas.

        Parameters
        ----------
        x : ndarray of shape (n, d)

        Returns
        -------
        float64 ndarray of shape (n,)
            In nats.

        Raises
        ------
        ValueError
            If x does not fit.
        """
        d = len(self.mean)
        x = check_rows("x", x, d)
        scaled, root = self._posterior_root
        along = scaled @ root.T
        distance2 = np.empty(len(x))
        for start in range(0, len(x), ROWS):
            some = slice(start, start + ROWS)
            deviation = x[some] - self.mean
            distance2[some] = np.square(deviation) @ (1 / self.noise_variance)
            distance2[some] -= np.square(deviation @ along).sum(axis=1)
        log_det = np.log(self.noise_variance).sum()
        log_det -= 2 * np.log(np.diag(root)).sum()
        return -0.5 * (distance2 + log_det + d * np.log(2 * np.pi))


def fit_ppca(
    mean: npt.ArrayLike, cov: npt.ArrayLike, n_factors: int
) -> LowRankGaussian:
    """Probabilistic PCA of the largest likelihood, in closed form.

    Parameters
    ----------
    mean : ndarray of shape (d,)
    cov : ndarray of shape (d, d)
        Maximum-likelihood covariance of the rows.
    n_factors : int
        Directions kept, 1 to d - 1.

    Returns
    -------
    LowRankGaussian
        Its noise is the mean of the variances along the other directions. An
        eigenvector's sign is free; here its largest entry is positive.

    Raises
    ------
    ValueError
        If a shape does not fit, n_factors is out of range, or no variance is
        left for the noise.

    References
    ----------
    Tipping and Bishop (1999), Probabilistic principal component analysis,
    Journal of the Royal Statistical Society B 61(3), eqs. 7 and 8.
    """
    mean, cov, k = _check_fit(mean, cov, n_factors)
    variance, vectors = principal_axes(cov, k)
    noise = (np.trace(cov) - variance.sum()) / (len(cov) - k)
    if noise <= least_share(len(cov), cov.dtype) * variance[0]:
        raise ValueError(f"cov has rank {k} or less: no noise is left")
    loadings = vectors * np.sqrt(np.maximum(variance - noise, 0))
    return LowRankGaussian(mean, loadings, np.full(len(cov), noise))


@threadpool_limits.wrap(limits=1, user_api="blas")  # small steps
def fit_factor_analysis(
    mean: npt.ArrayLike,
    cov: npt.ArrayLike,
    n_factors: int,
    floor: float,
    tol: float = 1e-4,
    max_iterations: int = 500,
) -> LowRankGaussian:
    """Factor analysis by EM: noise of its own for each coordinate.

    Parameters
    ----------
    mean : ndarray of shape (d,)
    cov : ndarray of shape (d, d)
        Maximum-likelihood covariance of the rows.
    n_factors : int
        1 to d - 1.
    floor : float
        Clips each variance of the noise from below; it adds to none. Above
        0, since a constant coordinate else sends the likelihood to infinity.
    tol : float
        Stop when an iteration gains less, in nats a row.
    max_iterations : int

    Returns
    -------
    LowRankGaussian

    Raises
    ------
    ValueError
        If an argument does not fit.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If max_iterations were not enough.

    References
    ----------
    Rubin and Thayer (1982), EM algorithms for ML factor analysis,
    Psychometrika 47(1).
    """
    mean, cov, k = _check_fit(mean, cov, n_factors)
    check_number("floor", floor)
    check_number("tol", tol)
    if floor == 0:
        raise ValueError("floor must be above 0")
    max_iterations = check_count("max_iterations", max_iterations, 1)
    model, last = fit_ppca(mean, cov, k), -np.inf
    loadings, noise = model.loadings, np.maximum(model.noise_variance, floor)
    for _ in range(max_iterations):
        scaled, root = posterior_root(loadings, noise)
        across = root.T @ (root @ (scaled.T @ cov))
        distance2 = (np.diag(cov) / noise).sum() - np.vdot(scaled, across.T)
        log_det = np.log(noise).sum() - 2 * np.log(np.diag(root)).sum()
        now = -(distance2 + log_det) / 2  # but for a constant
        loadings, noise = factor_m_step(scaled, root, across, np.diag(cov))
        noise = np.maximum(noise, floor)
        if now - last < tol:
            return LowRankGaussian(mean, loadings, noise)
        last = now
    warnings.warn(
        f"no convergence to {tol:g} nats in {max_iterations} iterations",
        ConvergenceWarning,
        stacklevel=3,  # of the caller, behind the decorator
    )
    return LowRankGaussian(mean, loadings, noise)


def factor_m_step(
    scaled: np.ndarray,
    root: np.ndarray,
    across: np.ndarray,
    variance: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """M-step of factor analysis, of one model or of a stack of them.

    Parameters
    ----------
    scaled : ndarray of shape (..., d, k)
    root : ndarray of shape (..., k, k)
        Both as `utils.linalg.posterior_root` gives them, by which the
        E-step was done.
    across : ndarray of shape (..., k, d)
        Covariance of the posterior mean of z with x.
    variance : ndarray of shape (..., d)
        Of each coordinate of x.

    Returns
    -------
    loadings : ndarray of shape (..., d, k)
    noise_variance : ndarray of shape (..., d)
        Rounding may leave it below 0.
    """
    inverse = root.mT @ root
    second = inverse + across @ scaled @ inverse  # mean of z z^T
    loadings = np.linalg.solve(second, across).mT
    return loadings, variance - (loadings * across.mT).sum(axis=-1)


def _check_fit(
    mean: npt.ArrayLike, cov: npt.ArrayLike, n_factors: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Check what a Gaussian of low rank is fitted to."""
    mean = finite_array("mean", mean, (None,))
    cov = check_cov("cov", cov, len(mean))
    n_factors = check_count("n_factors", n_factors, 1)
    if n_factors >= len(mean):
        raise ValueError(
            f"n_factors must be below {len(mean)}, got {n_factors}"
        )
    return mean, cov, n_factors
