"""Scores. They take arrays, never models."""

import numpy as np

from utils.checks import check_array, check_count

__all__ = ["bits_per_dim"]


def bits_per_dim(log_prob, d, n_levels=256):
    """Bits a pixel that a density spends on dequantised images.

    An upper bound for what a model of the `n_levels` grey levels themselves
    would need. A uniform density scores log2(n_levels).

    Parameters
    ----------
    log_prob : ndarray of shape (n,)
        Log-density in nats of rows (x + u) / n_levels, u uniform on [0, 1).
    d : int
        Length of a row.
    n_levels : int
        Grey levels.

    Returns
    -------
    ndarray of shape (n,)
        Its mean is the score of a model.

    Raises
    ------
    ValueError
        If log_prob is not 1-D and finite, or d is not a whole number > 0.

    References
    ----------
    Theis, van den Oord and Bethge (2016), A note on the evaluation of
    generative models, section 3.1, arXiv:1511.01844.
    """
    log_prob = check_array("log_prob", log_prob, (None,))
    d = check_count("d", d, 1)
    n_levels = check_count("n_levels", n_levels, 2)
    return np.log2(n_levels) - log_prob / (d * np.log(2))
