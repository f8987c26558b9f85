"""E- and M-steps of Gaussian mixtures, on blocks of rows.

The statistics of an E-step are one array, and those of two sets of rows add
up: that is all that EM over chunks of rows needs.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from scipy.linalg import LinAlgError, solve_triangular

from utils.gaussian import Gaussian
from utils.linalg import cholesky_factor, noise_is_lost, posterior_root
from utils.lowrank import LowRankGaussian, factor_m_step, fit_ppca

__all__ = [
    "LowRankSteps",
    "MomentSteps",
    "Steps",
    "check_precision",
    "to_responsibilities",
]

BLOCK = 700_000  # numbers that are made at a time: a few MB
ERROR = 0.02  # share of a variance that rounding may change


class Steps(Protocol):
    """EM for one kind of covariance.

    `params` are the weights, and arrays with an axis for the components. A
    step raises scipy.linalg.LinAlgError where a covariance has no inverse,
    or where the precision of the blocks cannot tell a variance from a mean
    square, see `check_precision`.
    """

    n_features: int  # numbers that a block holds for each row

    def blocks(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the features of some rows at a time, (n_features, n)."""

    def first(self, x: np.ndarray, labels: np.ndarray, k: int) -> tuple:
        """Params to start from, where each row has one component."""

    def e_step(
        self, params: tuple, blocks: Iterable[np.ndarray]
    ) -> tuple[np.ndarray, float]:
        """Sums over the rows, an array that adds up; sum of log p(x)."""

    def m_step(self, sums: np.ndarray, params: tuple) -> tuple:
        """Params that raise the likelihood."""

    def check(self, params: tuple, dtype: np.dtype) -> None:
        """Check that params can be told from rows of this precision."""

    def to_data_space(self, params: tuple) -> tuple[np.ndarray, tuple]:
        """Weights and components, as a mixture of the rows has them."""

    def from_data_space(
        self, weights: np.ndarray, components: Sequence[Any]
    ) -> tuple:
        """Params of a mixture; undoes `to_data_space`."""


def to_responsibilities(joint: np.ndarray) -> float:
    """Turn log p(x, k) into responsibilities, in place.

    One below the root of the smallest normal number (1e-19 in float32) is set
    to 0: numbers below the smallest would slow a matrix product 80 times.

    Parameters
    ----------
    joint : ndarray of shape (K, n)

    Returns
    -------
    float
        Sum of log p(x).
    """
    top = joint.max(axis=0)
    joint -= top
    joint[joint < np.log(np.finfo(joint.dtype).tiny) / 2] = -np.inf
    np.exp(joint, out=joint)
    total = joint.sum(axis=0)
    joint /= total
    return float((top + np.log(total)).sum(dtype=np.float64))


def check_precision(swell: float, dtype: np.dtype) -> None:
    """Check that rounding leaves the variances of all components.

    EM on sums takes a variance from a mean square, about the mean of all
    rows; what rounding does to that grows as the ratio of the two.

    Parameters
    ----------
    swell : float
        The largest such ratio.
    dtype : dtype
        Of the rows.

    Raises
    ------
    scipy.linalg.LinAlgError
        If rounding may change a variance by more than 0.02 of it.
    """
    if not swell * np.finfo(dtype).eps <= ERROR:
        raise LinAlgError(
            f"a component is so narrow, or so far off, that {dtype} cannot "
            "hold its variance"
        )


class MomentSteps:
    """Full, tied or diagonal covariances.

    Of a block of whitened rows z it makes the features 1, z and the products
    z_i z_j, i <= j. Each log-density is linear in them, and each moment a
    weighted sum of them: the E-step and the M-step are one matrix product
    each.

    Parameters of the model are weights, means and covariances of z.

    Parameters
    ----------
    mean : ndarray of shape (d,)
    cov : ndarray of shape (d, d)
        Of all rows, by which they are whitened.
    ridge : float
        Adds to each variance of x at each M-step; it clips none.
    covariance : {"full", "tied", "diag"}
    eps : float
        Rows that a component has at least.
    """

    def __init__(
        self,
        mean: np.ndarray,
        cov: np.ndarray,
        ridge: float,
        covariance: str,
        eps: float,
    ) -> None:
        self.eps = eps
        self.tied = covariance == "tied"
        self.diagonal = covariance == "diag"
        if self.diagonal:
            cov = np.diag(np.diag(cov))
        self.mean = mean
        self.factor = cholesky_factor("the covariance of x", cov, ridge)
        self.whiten = solve_triangular(
            self.factor, np.eye(len(cov)), lower=True
        )
        self.ridge = ridge * self.whiten @ self.whiten.T
        rows, columns = np.triu_indices(len(cov))
        if self.diagonal:
            rows = columns = np.arange(len(cov))
        self.pairs = rows, columns
        self.n_features = 1 + len(cov) + len(rows)

    def blocks(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the features of some rows at a time, shape (p, n_block)."""
        d, n_pairs = x.shape[1], len(self.pairs[0])
        step = max(16, BLOCK // n_pairs)
        for start in range(0, len(x), step):
            z = self.whiten @ (x[start : start + step] - self.mean).T
            z = z.astype(x.dtype)
            features = np.empty((1 + d + n_pairs, z.shape[1]), x.dtype)
            features[0], features[1 : d + 1] = 1, z
            if self.diagonal:
                np.square(z, out=features[d + 1 :])
            else:
                at = d + 1
                for i in range(d):
                    np.multiply(z[i], z[i:], out=features[at : at + d - i])
                    at += d - i
            yield features

    def e_step(
        self, params: tuple, blocks: Iterable[np.ndarray]
    ) -> tuple[np.ndarray, float]:
        """Moments of each component, shape (K, p), and sum of log p(x)."""
        linear, swell = self._linear(*params)
        moments, log_prob, n = np.zeros(linear.shape), 0.0, 0
        for features in blocks:
            check_precision(swell, features.dtype)
            resp = linear.astype(features.dtype) @ features
            log_prob += to_responsibilities(resp)
            moments += (features @ resp.T).T
            n += features.shape[1]
        return moments, log_prob - n * np.log(np.diag(self.factor)).sum()

    def m_step(self, sums: np.ndarray, params: tuple = ()) -> tuple:
        """Weights, means and covariances of the largest likelihood."""
        d = len(self.mean)
        counts = np.maximum(sums[:, 0], self.eps)
        means = sums[:, 1 : d + 1] / counts[:, None]
        cov = np.zeros((len(counts), d, d))
        i, j = self.pairs
        second = sums[:, d + 1 :] / counts[:, None]
        cov[:, i, j] = cov[:, j, i] = second - means[:, i] * means[:, j]
        if self.tied:
            cov[:] = np.average(cov, axis=0, weights=counts)
        return counts / counts.sum(), means, cov + self.ridge

    def check(self, params: tuple, dtype: np.dtype) -> None:
        """Check what an E-step of these params would."""
        check_precision(self._linear(*params)[1], dtype)

    def first(self, x: np.ndarray, labels: np.ndarray, k: int) -> tuple:
        """M-step where each row belongs to one component."""
        sums, start = np.zeros((k, self.n_features)), 0
        for features in self.blocks(x):
            some = labels[start : start + features.shape[1]]
            sums += np.eye(k)[some].T @ features.T
            start += len(some)
        return self.m_step(sums)

    def _linear(self, weights, means, cov):
        """Coefficients with which the features add up to log p(z, k).

        And the largest ratio of a mean square to the variance that is left
        of a coordinate given the others.
        """
        d = len(self.mean)
        root = np.linalg.inv(np.linalg.cholesky(cov))
        precision = root.mT @ root
        slope = np.einsum("kij,kj->ki", precision, means)
        log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        quadratic = (slope * means).sum(axis=1) + d * np.log(2 * np.pi)
        constant = np.log(weights) + log_det - quadratic / 2
        i, j = self.pairs
        pairs = -precision[:, i, j] * np.where(i == j, 0.5, 1)
        squares = np.diagonal(cov, axis1=1, axis2=2) + means**2
        swell = (np.diagonal(precision, axis1=1, axis2=2) * squares).max()
        return np.hstack([constant[:, None], slope, pairs]), swell

    def to_data_space(self, params: tuple) -> tuple[np.ndarray, tuple]:
        """Weights and components in the space of the rows."""
        weights, means, cov = params
        factors = np.linalg.cholesky(self.factor @ cov @ self.factor.T)
        means = self.mean + means @ self.factor.T
        return weights, tuple(map(Gaussian, means, factors))

    def from_data_space(
        self, weights: np.ndarray, components: Sequence[Any]
    ) -> tuple:
        """Undo `to_data_space`."""
        means = [self.whiten @ (c.mean - self.mean) for c in components]
        factors = np.stack([self.whiten @ c.factor for c in components])
        return weights, np.stack(means), factors @ factors.mT


class LowRankSteps:
    """Covariances of low rank plus noise: a mixture of factor analysers.

    Parameters of the model are weights, means, loadings and noise, with a
    first axis for the component.

    Parameters
    ----------
    mean : ndarray of shape (d,)
    cov : ndarray of shape (d, d)
        Of all rows; with the ridge, its probabilistic PCA is where each
        component starts.
    ridge : float
        Adds to each variance of the noise at each M-step; it clips none.
    n_factors : int
    eps : float
        Rows that a component has at least.

    References
    ----------
    Ghahramani and Hinton (1996), The EM algorithm for mixtures of factor
    analyzers, CRG-TR-96-1.
    """

    def __init__(
        self,
        mean: np.ndarray,
        cov: np.ndarray,
        ridge: float,
        n_factors: int,
        eps: float,
    ) -> None:
        self.eps = eps
        self.mean, self.ridge = mean, ridge
        cov = cov + ridge * np.eye(len(mean))  # of rows in a plane, too
        self.common = fit_ppca(mean, cov, n_factors)
        self.n_features = len(mean)

    def blocks(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield some rows at a time, centred, with a feature in a row."""
        step = max(16, BLOCK // len(self.mean))
        for start in range(0, len(x), step):
            centred = x[start : start + step] - self.mean
            yield np.ascontiguousarray(centred.T, x.dtype)

    def first(self, x: np.ndarray, labels: np.ndarray, k: int) -> tuple:
        """Means of the rows of each label, loadings of all rows."""
        counts = np.bincount(labels, minlength=k)
        means = [x[labels == i].mean(axis=0, dtype=float) for i in range(k)]
        common = self.common
        return (
            counts / counts.sum(),
            np.stack(means) - self.mean,
            np.stack([common.loadings] * k),
            np.stack([common.noise_variance] * k),
        )

    def e_step(
        self, params: tuple, blocks: Iterable[np.ndarray]
    ) -> tuple[np.ndarray, float]:
        """Sums of each component, shape (K, 1 + d + d + q d), and log p(x).

        They are of 1, x, x**2 and y x^T, where y = root (loadings / noise)^T
        (x - mean) has q numbers, weighted by responsibility.
        """
        k, d, q = params[2].shape
        sums, log_prob = np.zeros((k, 1 + d + d + q * d)), 0.0
        terms = self._terms(params)
        for x in blocks:
            self.check(params, x.dtype)
            constant, slope, curve, latent, shift = (
                term.astype(x.dtype) for term in terms
            )
            y = (latent @ x).reshape(*shift.shape[:2], -1) - shift
            resp = constant + slope @ x - curve @ x**2
            resp += np.square(y).sum(axis=1) / 2
            log_prob += to_responsibilities(resp)
            y *= resp[:, None]
            along = y.reshape(len(latent), -1) @ x.T
            some = [
                resp.sum(axis=1, keepdims=True),
                resp @ x.T,
                resp @ (x**2).T,
                along.reshape(len(resp), -1),
            ]
            sums += np.hstack(some)
        return sums, log_prob

    def check(self, params: tuple, dtype: np.dtype) -> None:
        """Check that the noise of each coordinate is above rounding."""
        _, means, loadings, noise = params
        squares = np.square(loadings).sum(axis=2) + noise + means**2
        check_precision((squares / noise).max(), dtype)

    def _terms(self, params):
        """What log p(x, k) is made of, for the rows of one block.

        It is constant + slope x - curve x**2 + |latent x - shift|**2 / 2.
        """
        weights, means, loadings, noise = params
        scaled, root = posterior_root(loadings, noise)
        latent = root @ scaled.mT
        log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        spread = np.log(2 * np.pi * noise) + means**2 / noise
        constant = np.log(weights) + log_det - spread.sum(axis=1) / 2
        return (
            constant[:, None],
            means / noise,
            0.5 / noise,
            latent.reshape(-1, latent.shape[2]),
            latent @ means[:, :, None],
        )

    def m_step(self, sums: np.ndarray, params: tuple) -> tuple:
        """Weights, means, loadings and noise that raise the likelihood."""
        d = len(self.mean)
        _, old_means, *factors = params
        scaled, root = posterior_root(*factors)
        counts = np.maximum(sums[:, 0], self.eps)
        means, squares, along = np.split(
            sums[:, 1:] / counts[:, None], [d, 2 * d], axis=1
        )
        step = (means - old_means)[:, :, None]
        along = along.reshape(len(root), -1, d)
        along -= root @ scaled.mT @ step * means[:, None]
        across = root.mT @ along  # cov of z and x given k
        loadings, noise = factor_m_step(
            scaled, root, across, squares - means**2
        )
        noise = np.maximum(noise, 0) + self.ridge
        if noise_is_lost(loadings, noise):
            raise LinAlgError("a component has a coordinate without noise")
        return counts / counts.sum(), means, loadings, noise

    def to_data_space(self, params: tuple) -> tuple[np.ndarray, tuple]:
        """Weights and components in the space of the rows."""
        weights, means, *rest = params
        return weights, tuple(map(LowRankGaussian, means + self.mean, *rest))

    def from_data_space(
        self, weights: np.ndarray, components: Sequence[Any]
    ) -> tuple:
        """Undo `to_data_space`."""
        means = np.stack([c.mean - self.mean for c in components])
        loadings = np.stack([c.loadings for c in components])
        return (
            weights,
            means,
            loadings,
            np.stack([c.noise_variance for c in components]),
        )
