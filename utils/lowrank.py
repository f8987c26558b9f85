"""Gaussians of low rank: a few directions, and noise in each coordinate."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from sklearn.exceptions import ConvergenceWarning

from utils.checks import (
    check_array,
    check_count,
    check_cov,
    check_number,
    check_rng,
    check_rows,
)
from utils.gaussian import principal_axes

__all__ = ["LowRankGaussian", "fit_factor_analysis", "fit_ppca"]


@dataclass(frozen=True, eq=False)
class LowRankGaussian:
    """A normal with covariance loadings @ loadings.T + diag(noise).

    That matrix is never built: a row costs O(d k).

    Attributes
    ----------
    mean : ndarray of shape (d,)
    loadings : ndarray of shape (d, k)
    noise : ndarray of shape (d,)
        Variance of the noise in each coordinate, above 0.
    """

    mean: np.ndarray
    loadings: np.ndarray
    noise: np.ndarray

    @cached_property
    def _inner(self):
        """Loadings over noise, and the lower Cholesky factor of
        I + loadings.T @ diag(1 / noise) @ loadings.
        """
        scaled = self.loadings / self.noise[:, None]
        inner = np.eye(scaled.shape[1]) + self.loadings.T @ scaled
        return scaled, cholesky(inner, lower=True)

    def latents(self, x):
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
        scaled, factor = self._inner
        cov = cho_solve((factor, True), np.eye(len(factor)))
        return (x - self.mean) @ (scaled @ cov), cov

    def sample(self, n, rng, noise=True):
        """Draw n rows, mean + loadings z, and noise unless it is left out.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator
        noise : bool
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
        if noise:
            x += rng.standard_normal(x.shape) * np.sqrt(self.noise)
        return x

    def log_prob(self, x):
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
        scaled, factor = self._inner
        gap = x - self.mean
        inner = solve_triangular(factor, (gap @ scaled).T, lower=True)
        distance2 = np.square(gap) @ (1 / self.noise)
        distance2 -= np.square(inner).sum(axis=0)
        log_det = np.log(self.noise).sum() + 2 * np.log(np.diag(factor)).sum()
        return -0.5 * (distance2 + log_det + d * np.log(2 * np.pi))


def fit_ppca(mean, cov, rank):
    """Probabilistic PCA of the largest likelihood, in closed form.

    Parameters
    ----------
    mean : ndarray of shape (d,)
    cov : ndarray of shape (d, d)
        Maximum-likelihood covariance of the rows.
    rank : int
        Directions kept, 1 to d - 1.

    Returns
    -------
    LowRankGaussian
        Its noise is the mean of the variances along the other directions. An
        eigenvector's sign is free; here its largest entry is positive.

    Raises
    ------
    ValueError
        If a shape does not fit, rank is out of range, or no variance is left
        for the noise.

    References
    ----------
    Tipping and Bishop (1999), Probabilistic principal component analysis,
    Journal of the Royal Statistical Society B 61(3), eqs. 7 and 8.
    """
    mean, cov, rank = _check_fit(mean, cov, rank)
    variance, vectors = principal_axes(cov, rank)
    noise = (np.trace(cov) - variance.sum()) / (len(cov) - rank)
    if noise <= len(cov) * np.finfo(cov.dtype).eps * variance[-1]:
        raise ValueError(f"cov has rank {rank} or less: no noise is left")
    loadings = vectors * np.sqrt(np.maximum(variance - noise, 0))
    noise = np.full(len(cov), noise)
    return LowRankGaussian(mean, loadings[:, ::-1], noise)


def fit_factor_analysis(mean, cov, rank, floor, tol=1e-4, max_iterations=500):
    """Factor analysis by EM: noise of its own for each coordinate.

    Parameters
    ----------
    mean : ndarray of shape (d,)
    cov : ndarray of shape (d, d)
        Maximum-likelihood covariance of the rows.
    rank : int
        Number of factors, 1 to d - 1.
    floor : float
        Least variance of the noise, above 0. Without one a constant
        coordinate sends the likelihood to infinity.
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
    mean, cov, rank = _check_fit(mean, cov, rank)
    check_number("floor", floor)
    check_number("tol", tol)
    if floor == 0:
        raise ValueError("floor must be above 0")
    max_iterations = check_count("max_iterations", max_iterations, 1)
    model, last = fit_ppca(mean, cov, rank), -np.inf
    loadings, noise = model.loadings, np.maximum(model.noise, floor)
    for _ in range(max_iterations):
        now, loadings, noise = _factor_step(cov, loadings, noise)
        noise = np.maximum(noise, floor)
        if now - last < tol:
            return LowRankGaussian(mean, loadings, noise)
        last = now
    warnings.warn(
        f"no convergence to {tol:g} nats in {max_iterations} iterations",
        ConvergenceWarning,
        stacklevel=2,
    )
    return LowRankGaussian(mean, loadings, noise)


def _factor_step(cov, loadings, noise):
    """Mean log-density of the rows but for a constant; then one step of EM."""
    scaled = loadings / noise[:, None]
    inner = np.eye(loadings.shape[1]) + loadings.T @ scaled
    inverse = np.linalg.inv(inner)
    across = cov @ scaled @ inverse  # cov of x and the mean of z given x
    log_det = np.log(noise).sum() + np.linalg.slogdet(inner)[1]
    distance2 = (np.diag(cov) / noise).sum() - np.vdot(scaled, across)
    second = inverse + inverse @ scaled.T @ across  # mean of z z^T
    loadings = np.linalg.solve(second, across.T).T
    noise = np.diag(cov) - (loadings * across).sum(axis=1)
    return -(log_det + distance2) / 2, loadings, noise


def _check_fit(mean, cov, rank):
    """Check what a Gaussian of low rank is fitted to."""
    mean = check_array("mean", mean, (None,))
    cov = check_cov("cov", cov, len(mean))
    rank = check_count("rank", rank, 1)
    if rank >= len(mean):
        raise ValueError(f"rank must be below {len(mean)}, got {rank}")
    return mean, cov, rank
