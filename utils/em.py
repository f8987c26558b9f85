"""E- and M-steps of Gaussian mixtures, on blocks of rows.

The statistics of an E-step are one array, and those of two sets of rows add
up: that is all that EM over chunks of rows needs.
"""

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from utils.gaussian import Gaussian
from utils.lowrank import LowRankGaussian, fit_ppca

__all__ = ["LowRankSteps", "MomentSteps", "soften"]

BLOCK = 700_000  # numbers that are made at a time: a few MB


def soften(joint):
    """Turn log p(x, k), shape (K, n), into responsibilities, in place.

    Returns
    -------
    float
        Sum of log p(x).
    """
    top = joint.max(axis=0)
    joint -= top
    np.exp(joint, out=joint)
    total = joint.sum(axis=0)
    joint /= total
    return float((top + np.log(total)).sum(dtype=np.float64))


class MomentSteps:
    """Full, tied or diagonal covariances.

    Of a block of whitened rows z it makes the features 1, z and the products
    z_i z_j, i <= j. Each log-density is linear in them, and each moment a
    weighted sum of them: the E-step and the M-step are one matrix product
    each.

    Parameters of the model are weights, means and covariances of z.
    """

    def __init__(self, mean, cov, ridge, covariance, eps):
        self.eps = eps
        self.tied = covariance == "tied"
        self.diagonal = covariance == "diag"
        cov = cov + ridge * np.eye(len(cov))
        if self.diagonal:
            cov = np.diag(np.diag(cov))
        self.mean = mean
        self.factor = cholesky(cov, lower=True)
        self.whiten = solve_triangular(
            self.factor, np.eye(len(cov)), lower=True
        )
        self.ridge = ridge * self.whiten @ self.whiten.T
        rows, columns = np.triu_indices(len(cov))
        if self.diagonal:
            rows = columns = np.arange(len(cov))
        self.pairs = rows, columns
        self.n_features = 1 + len(cov) + len(rows)

    def blocks(self, x):
        """Yield the features of some rows at a time, shape (p, n_block)."""
        d, n_pairs = x.shape[1], len(self.pairs[0])
        step = max(16, BLOCK // n_pairs)
        whiten, mean = self.whiten.astype(x.dtype), self.mean.astype(x.dtype)
        for start in range(0, len(x), step):
            z = whiten @ (x[start : start + step] - mean).T
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

    def e_step(self, params, blocks):
        """Moments of each component, shape (K, p), and sum of log p(x)."""
        linear = self._linear(*params)
        moments, log_prob, n = np.zeros(linear.shape), 0.0, 0
        for features in blocks:
            resp = linear.astype(features.dtype) @ features
            log_prob += soften(resp)
            moments += (features @ resp.T).T
            n += features.shape[1]
        return moments, log_prob - n * np.log(np.diag(self.factor)).sum()

    def m_step(self, moments, params=None):
        """Weights, means and covariances of the largest likelihood."""
        d = len(self.mean)
        counts = moments[:, 0] + self.eps
        means = moments[:, 1 : d + 1] / counts[:, None]
        cov = np.zeros((len(counts), d, d))
        i, j = self.pairs
        second = moments[:, d + 1 :] / counts[:, None]
        cov[:, i, j] = cov[:, j, i] = second - means[:, i] * means[:, j]
        if self.tied:
            cov[:] = np.average(cov, axis=0, weights=counts)
        return counts / counts.sum(), means, cov + self.ridge

    def first(self, x, labels, k):
        """M-step where each row belongs to one component."""
        sums, start = 0, 0
        for features in self.blocks(x):
            some = labels[start : start + features.shape[1]]
            sums = sums + np.eye(k)[some].T @ features.T
            start += len(some)
        return self.m_step(sums)

    def _linear(self, weights, means, cov):
        """Coefficients with which the features add up to log p(z, k)."""
        d = len(self.mean)
        root = np.linalg.inv(np.linalg.cholesky(cov))
        precision = root.transpose(0, 2, 1) @ root
        slope = np.einsum("kij,kj->ki", precision, means)
        log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        quadratic = (slope * means).sum(axis=1) + d * np.log(2 * np.pi)
        constant = np.log(weights) + log_det - quadratic / 2
        i, j = self.pairs
        pairs = -precision[:, i, j] * np.where(i == j, 0.5, 1)
        return np.hstack([constant[:, None], slope, pairs])

    def outward(self, params):
        """Weights and components in the space of the rows."""
        weights, means, cov = params
        factors = np.linalg.cholesky(self.factor @ cov @ self.factor.T)
        means = self.mean + means @ self.factor.T
        return weights, tuple(map(Gaussian, means, factors))

    def inward(self, weights, components):
        """Undo `outward`."""
        means = [self.whiten @ (c.mean - self.mean) for c in components]
        factors = np.stack([self.whiten @ c.factor for c in components])
        return weights, np.stack(means), factors @ factors.transpose(0, 2, 1)


class LowRankSteps:
    """Covariances of low rank plus noise: a mixture of factor analysers.

    Parameters of the model are weights, means, loadings and noise, with a
    first axis for the component.

    References
    ----------
    Ghahramani and Hinton (1996), The EM algorithm for mixtures of factor
    analyzers, CRG-TR-96-1.
    """

    def __init__(self, mean, cov, ridge, rank, eps):
        self.eps = eps
        self.mean, self.ridge = mean, ridge
        self.common = fit_ppca(mean, cov, rank)
        self.n_features = len(mean)

    def blocks(self, x):
        """Yield some rows at a time, centred, with a feature in a row."""
        mean = self.mean.astype(x.dtype)
        step = max(16, BLOCK // len(mean))
        for start in range(0, len(x), step):
            yield np.ascontiguousarray((x[start : start + step] - mean).T)

    def first(self, x, labels, k):
        """Means of the rows of each label, loadings of all rows."""
        counts = np.bincount(labels, minlength=k)
        means = np.stack([x[labels == i].mean(axis=0) for i in range(k)])
        common = self.common
        return (
            counts / counts.sum(),
            means - self.mean,
            np.stack([common.loadings] * k),
            np.stack([common.noise + self.ridge] * k),
        )

    def e_step(self, params, blocks):
        """Sums of each component, shape (K, 1 + d + d + d q), and log p(x).

        They are of 1, x, x**2 and x times (loadings / noise)^T x, weighted
        by responsibility.
        """
        sums, log_prob, terms = 0, 0.0, self._terms(params)
        for x in blocks:
            constant, slope, curve, latent, shift = (
                term.astype(x.dtype) for term in terms
            )
            y = (latent @ x).reshape(*shift.shape[:2], -1) - shift
            resp = constant + slope @ x - curve @ x**2
            resp += np.square(y).sum(axis=1) / 2
            log_prob += soften(resp)
            y *= resp[:, None]
            along = y.reshape(len(latent), -1) @ x.T
            some = [
                resp.sum(axis=1, keepdims=True),
                resp @ x.T,
                resp @ (x**2).T,
                along.reshape(len(resp), -1),
            ]
            sums = sums + np.hstack(some).astype(np.float64)
        return sums, log_prob

    def _terms(self, params):
        """What log p(x, k) is made of, for the rows of one block.

        It is constant + slope x - curve x**2 + |latent x - shift|**2 / 2.
        """
        weights, means, _, noise = params
        scaled, root = self._inner(params)
        latent = root @ scaled.transpose(0, 2, 1)
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

    def m_step(self, sums, params):
        """Weights, means, loadings and noise that raise the likelihood."""
        d = len(self.mean)
        scaled, root = self._inner(params)
        k, q = root.shape[:2]
        counts = sums[:, 0] + self.eps
        means, squares, along = np.split(
            sums[:, 1:] / counts[:, None], [d, 2 * d], axis=1
        )
        step = (means - params[1])[:, :, None]
        shift = root @ scaled.transpose(0, 2, 1) @ step
        along = along.reshape(k, q, d) - shift * means[:, None]
        across = root.transpose(0, 2, 1) @ along  # cov of z and x given k
        inverse = root.transpose(0, 2, 1) @ root
        second = inverse + across @ scaled @ inverse
        loadings = np.linalg.solve(second, across).transpose(0, 2, 1)
        noise = squares - means**2 - np.einsum("kdq,kqd->kd", loadings, across)
        noise = np.maximum(noise, 0) + self.ridge
        if noise.min() == 0:
            raise LinAlgError("a component has a coordinate without noise")
        return counts / counts.sum(), means, loadings, noise

    def _inner(self, params):
        """W / noise, and inverse Cholesky factors of I + W^T W / noise."""
        _, _, loadings, noise = params
        scaled = loadings / noise[:, :, None]
        inner = np.eye(scaled.shape[2]) + loadings.transpose(0, 2, 1) @ scaled
        return scaled, np.linalg.inv(np.linalg.cholesky(inner))

    def outward(self, params):
        """Weights and components in the space of the rows."""
        weights, means, *rest = params
        return weights, tuple(map(LowRankGaussian, means + self.mean, *rest))

    def inward(self, weights, components):
        """Undo `outward`."""
        means = np.stack([c.mean - self.mean for c in components])
        loadings = np.stack([c.loadings for c in components])
        return (
            weights,
            means,
            loadings,
            np.stack([c.noise for c in components]),
        )
