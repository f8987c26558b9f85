"""Gaussian mixtures, fitted by expectation maximisation (EM)."""

import sys
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from utils.checks import (
    check_count,
    check_number,
    check_rng,
    check_rows,
    finite_array,
)
from utils.em import LowRankSteps, MomentSteps, Steps
from utils.gaussian import Gaussian, class_posterior
from utils.lowrank import LowRankGaussian

__all__ = ["Mixture", "fit_mixture"]

KEEP = 400e6  # bytes of features that may be kept from step to step
SHOW_AFTER = 3  # seconds until progress is shown


@dataclass(frozen=True, eq=False)
class Mixture:
    """A weighted sum of normal densities.

    Attributes
    ----------
    weights : ndarray of shape (K,)
        None below 0; they add up to 1, to a millionth. A component of weight
        0 is never drawn.
    components : tuple of K distributions
        Each has `mean`, of the same shape (d,), `log_prob` and `sample`.
    history : tuple of float
        Mean log-density of the rows it was fitted to, in nats, before each
        iteration of EM.
    converged : bool or None
        Whether EM met its rule; None where nothing was fitted.

    Raises
    ------
    ValueError
        If the weights are not as above, or the components do not fit them or
        each other.
    """

    weights: np.ndarray
    components: tuple
    history: tuple = ()
    converged: bool | None = None

    def __post_init__(self) -> None:
        components = tuple(self.components)
        weights = finite_array("weights", self.weights, (len(components),))
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "components", components)
        if (weights < 0).any() or abs(weights.sum() - 1) > 1e-6:
            raise ValueError(
                "weights must be >= 0 and add up to 1, got "
                f"{np.array2string(weights, threshold=10)}, which add up to "
                f"{weights.sum():.7g}"
            )
        for i, component in enumerate(components):
            if not hasattr(component, "mean"):
                raise ValueError(
                    f"components[{i}] has no mean: it is no distribution but "
                    f"of type {type(component).__name__}"
                )
        shapes = {np.shape(component.mean) for component in components}
        if len(shapes) > 1 or len(next(iter(shapes))) != 1:
            raise ValueError(
                "components must have means of one shape (d,), got "
                f"{', '.join(map(str, sorted(shapes)))}"
            )

    @property
    def n_parameters(self) -> int:
        """Free numbers of all components, and K - 1 weights.

        A mixture does not know what its components have in common: each
        counts as it stands, so that a tied covariance counts K times, and a
        diagonal one as a full one.
        """
        own = sum(component.n_parameters for component in self.components)
        return own + len(self.weights) - 1

    def component_log_prob(self, x: npt.ArrayLike) -> np.ndarray:
        """Log-density at each row under each component, shape (n, K)."""
        return np.stack([c.log_prob(x) for c in self.components], axis=1)

    def log_prob(self, x: npt.ArrayLike) -> np.ndarray:
        """Natural logarithm of the density at each row.

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
            If x does not fit, or a component has no density.
        """
        with np.errstate(divide="ignore"):
            joint = self.component_log_prob(x) + np.log(self.weights)
        return logsumexp(joint, axis=1)

    def responsibilities(self, x: npt.ArrayLike) -> np.ndarray:
        """Probability of each component given each row, shape (n, K)."""
        return class_posterior(self.component_log_prob(x), self.weights)

    def sample(
        self, n: int, rng: np.random.Generator, **options: Any
    ) -> np.ndarray:
        """Draw n rows in random order.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator
        **options
            For `sample` of the components.

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
        counts = rng.multinomial(n, self.weights / self.weights.sum())
        drawn = [
            component.sample(count, rng, **options)
            for component, count in zip(self.components, counts, strict=True)
        ]
        return rng.permutation(np.concatenate(drawn))


def fit_mixture(
    x: npt.ArrayLike,
    n_components: int,
    rng: np.random.Generator,
    *,
    covariance: str = "full",
    n_factors: int | None = None,
    ridge: float = 1e-6,
    start: Mixture | None = None,
    tol: float = 1e-3,
    max_iterations: int = 200,
) -> Mixture:
    """Fit a mixture of Gaussians by EM.

    It starts from a k-means clustering, which starts by k-means++, and stops
    when an iteration changes the mean log-density of the rows by less than
    `tol`. On one machine, the same rng gives the same mixture.

    Without a ridge no iteration lowers that mean. A ridge r is no part of the
    likelihood: with it, an iteration may lower the mean by at most r / 2
    times what the traces of the components' inverse covariances lose,
    averaged by the new weights (for "low_rank", of their inverse noise).
    Rounding may take another 0.005 nats in float32 and some 1e-6 in float64;
    more only where a component is a millionth as wide as the rows are spread.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        float32 rows are worked in float32, all others in float64. Where
        float32 would change a variance by more than 0.02 of it, as with a
        component some 400 times as narrow as the rows are spread, the fit is
        done again in float64.
    n_components : int
    rng : numpy.random.Generator
    covariance : {"full", "tied", "diag", "low_rank"}
        A covariance for each component; one for all; variances only; or
        `n_factors` directions and noise in each coordinate.
    n_factors : int, optional
        For "low_rank".
    ridge : float
        Adds to each variance at each iteration, so that no component can
        collapse on a few rows; it clips none.
    start : Mixture, optional
        Where EM starts instead, with components of the same kind and weights
        above 0.
    tol : float
        In nats a row.
    max_iterations : int

    Returns
    -------
    Mixture

    Raises
    ------
    ValueError
        If an argument does not fit, x has fewer distinct rows than there are
        components, or a covariance has no inverse by more than rounding.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If max_iterations were not enough.

    References
    ----------
    Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data
    via the EM algorithm, Journal of the Royal Statistical Society B 39(1).
    Bishop (2006), Pattern Recognition and Machine Learning, section 9.2.
    """
    x, k = _check_fit(x, n_components, rng, ridge, tol, max_iterations)
    if start is not None:
        _check_start(start, (k, x.shape[1]), covariance, n_factors)
    steps = _steps(x, covariance, n_factors, ridge)
    labels = _clusters(x, k, rng) if start is None else np.empty(0, int)
    while True:
        try:
            if start is None:
                params = steps.first(x, labels, k)
            else:
                params = steps.from_data_space(start.weights, start.components)
            found = _climb(x, steps, params, tol, max_iterations)
            break
        except LinAlgError as error:
            if x.dtype == np.float64:
                raise ValueError(
                    f"a covariance has no inverse with a ridge of {ridge:g} "
                    f"({error}); try a larger one"
                ) from None
            x = x.astype(np.float64)
    if not found.converged:
        warnings.warn(
            f"EM has not converged to {tol:g} nats a row in "
            f"{max_iterations} iterations",
            ConvergenceWarning,
            stacklevel=2,
        )
    return found


def _climb(
    x: np.ndarray,
    steps: Steps,
    params: tuple,
    tol: float,
    max_iterations: int,
) -> Mixture:
    """EM in the precision of x."""
    history: list[float] = []
    now, converged, begun = -np.inf, False, time.monotonic()
    keeps = len(x) * steps.n_features * x.itemsize <= KEEP
    kept = list(steps.blocks(x)) if keeps else None
    while not converged and len(history) < max_iterations:
        sums, log_prob = steps.e_step(params, kept or steps.blocks(x))
        params = steps.m_step(sums, params)
        before, now = now, float(log_prob) / len(x)
        history.append(now)
        converged = abs(now - before) < tol
        _show(begun, history, max_iterations, converged)
    steps.check(params, x.dtype)
    weights, components = steps.to_data_space(params)
    return Mixture(weights, components, tuple(history), converged)


def _check_fit(
    x: npt.ArrayLike,
    n_components: int,
    rng: np.random.Generator,
    ridge: float,
    tol: float,
    max_iterations: int,
) -> tuple[np.ndarray, int]:
    """Rows as float32 or float64, and the number of components."""
    x = check_rows("x", x)
    k = check_count("n_components", n_components, 1)
    check_rng("rng", rng)
    check_number("ridge", ridge)
    check_number("tol", tol)
    check_count("max_iterations", max_iterations, 1)
    if k > len(x):
        raise ValueError(f"n_components is {k}, but x has {len(x)} rows")
    return x if x.dtype == np.float32 else x.astype(np.float64), k


def _check_start(
    start: Mixture, shape: tuple, covariance: str, n_factors: int | None
) -> None:
    """Check the mixture to start from: its shape and its kind."""
    if not isinstance(start, Mixture):
        raise ValueError(
            f"start must be a Mixture, got {type(start).__name__}"
        )
    means = [component.mean for component in start.components]
    found = finite_array("start.means", means, (None, None))
    if found.shape != shape:
        raise ValueError(
            f"start must have (K, d) = {shape}, has {found.shape}"
        )
    if not (start.weights > 0).all():
        raise ValueError(
            f"start.weights must be above 0, got {start.weights}: EM gives a "
            "component of weight 0 no row"
        )
    for component in start.components:
        if not _is_of_kind(component, shape[1], covariance, n_factors):
            raise ValueError(f"start has other components than {covariance!r}")


def _is_of_kind(
    component: Any, d: int, covariance: str, n_factors: int | None
) -> bool:
    """Whether EM for one kind of covariance can go on from a component."""
    if covariance == "low_rank":
        fits = isinstance(component, LowRankGaussian)
        return fits and component.loadings.shape == (d, n_factors)
    if not isinstance(component, Gaussian) or not component.has_density:
        return False
    return covariance != "diag" or not np.tril(component.factor, -1).any()


def _steps(
    x: np.ndarray, covariance: str, n_factors: int | None, ridge: float
) -> Steps:
    """The E- and M-steps of one kind of covariance."""
    if (covariance == "low_rank") != (n_factors is not None):
        raise ValueError(
            f"n_factors belongs to 'low_rank'; got {covariance!r} and "
            f"n_factors {n_factors}"
        )
    if ridge == 0 and (x == x[0]).all(axis=0).any():
        raise ValueError("x has constant columns: they need a ridge above 0")
    mean = x.mean(axis=0, dtype=np.float64)
    cov = np.cov(x, rowvar=False, ddof=0, dtype=np.float64)
    cov = cov.reshape(2 * x.shape[1:])
    eps = 10 * np.finfo(np.float64).eps  # rows of a component, at least
    if n_factors is not None:
        return LowRankSteps(mean, cov, ridge, n_factors, eps)
    if covariance in ("full", "tied", "diag"):
        return MomentSteps(mean, cov, ridge, covariance, eps)
    raise ValueError(
        "covariance must be 'full', 'tied', 'diag' or 'low_rank', "
        f"got {covariance!r}"
    )


def _clusters(x: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Labels by a few rounds of k-means, from a k-means++ start."""
    seed = int(rng.integers(2**31))
    means = KMeans(k, n_init=1, max_iter=20, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = means.fit_predict(x)
        if len(np.unique(labels)) < k and x.dtype == np.float32:
            labels = means.fit_predict(x.astype(np.float64))
    n_found = len(np.unique(labels))
    if n_found == k:
        return labels
    n_distinct = len(np.unique(x, axis=0))
    if n_distinct < k:
        raise ValueError(
            f"n_components is {k}, but x has {n_distinct} distinct rows"
        )
    raise ValueError(
        f"n_components is {k}, but k-means tells only {n_found} groups of "
        "rows apart: some differ by rounding beside the spread of all; take "
        "fewer components, or leave out rows far off"
    )


def _show(
    begun: float, history: list[float], most: int, converged: bool
) -> None:
    """Say on stderr how far a long fit is."""
    if time.monotonic() - begun > SHOW_AFTER:
        line = f"\rEM {len(history)}/{most}: {history[-1]:.4f} nats a row"
        end = "\n" if converged or len(history) == most else ""
        print(line, end=end, file=sys.stderr, flush=True)
