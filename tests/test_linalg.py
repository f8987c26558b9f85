"""Axes, factors and the small matrix of low rank, against NumPy and SciPy."""

import numpy as np
import pytest
import scipy.linalg

from utils.data import load_mnist
from utils.linalg import (
    cholesky_factor,
    least_share,
    matmul,
    noise_is_lost,
    posterior_root,
    principal_axes,
    share_left,
)
from utils.statistics import class_statistics


@pytest.mark.slow
@pytest.mark.parametrize("n_axes", [20, 640, 784])
def test_axes_of_a_covariance_with_equal_eigenvalues(n_axes):
    # ones, dequantised: hundreds of pixels have the variance of rounding
    # alone, and LAPACK's partial solver gives up among them
    (images, y), _ = load_mnist()
    cov = (class_statistics(images, y).cov(1) + np.eye(784) / 12) / 256**2
    variance, vectors = principal_axes(cov, n_axes)
    assert vectors.shape == (784, n_axes)
    assert (np.diff(variance) < 1e-12).all()  # from the largest down
    np.testing.assert_allclose(
        vectors.T @ vectors, np.eye(n_axes), rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(
        cov @ vectors, vectors * variance, rtol=0, atol=1e-10
    )
    wanted = np.linalg.eigvalsh(cov)[::-1][:n_axes]
    np.testing.assert_allclose(variance, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_axes", [1, 3, 4])
@pytest.mark.parametrize("fails", [False, True])
def test_axes_come_from_the_largest_down(n_axes, fails, monkeypatch):
    """Also where the partial solver fails."""

    def failing(cov, subset_by_index):
        raise scipy.linalg.LinAlgError

    if fails:
        monkeypatch.setattr("utils.linalg.eigh", failing)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    cov = turn @ np.diag([1.0, 9.0, 4.0, 2.0]) @ turn.T
    variance, vectors = principal_axes((cov + cov.T) / 2, n_axes)
    np.testing.assert_allclose(variance, [9, 4, 2, 1][:n_axes])
    wanted = turn[:, [1, 2, 3, 0]][:, :n_axes]
    largest = np.abs(wanted).argmax(axis=0)
    wanted = wanted * np.sign(wanted[largest, range(n_axes)])
    np.testing.assert_allclose(vectors, wanted, atol=1e-12)


def test_cholesky_factor_names_the_covariance_and_the_ridge():
    cov = np.array([[1.0, 2.0], [2.0, 1.0]])
    factor = cholesky_factor("cov", cov, 1.5)
    np.testing.assert_allclose(factor @ factor.T, cov + 1.5 * np.eye(2))
    assert factor[0, 1] == 0
    np.testing.assert_array_equal(cov, [[1, 2], [2, 1]])  # it is not changed
    message = "spread is not positive definite with a ridge of 0.5; .*larger"
    with pytest.raises(ValueError, match=message):
        cholesky_factor("spread", cov, 0.5)


@pytest.mark.parametrize("own", [0.5, 1e-6, 1e-12])
def test_share_left_of_a_sum(own):
    """Of c = a + b + e, the sum c - a - b keeps the variance of e."""
    cov = np.eye(3)
    cov[2] = cov[:, 2] = [1, 1, 2 + own]
    scale = np.array([1e-5, 1, 1e5])  # in other units it is the same
    cov *= scale * scale[:, None]
    factor = cholesky_factor("cov", cov)
    wanted = own / (1 + 1 + 2 + own)
    got = share_left(factor, np.diag(cov))
    np.testing.assert_allclose(got, wanted, rtol=1e-15 / own)
    assert share_left(np.diag(scale), scale**2) == 1
    assert least_share(3, np.float64) == 6 * 2.0**-52


def test_a_ridge_too_small_for_float32_is_refused():
    cov = np.ones((3, 3), np.float32)
    assert cholesky_factor("cov", cov, 1e-5).dtype == np.float32
    with pytest.raises(ValueError, match="ridge of 2e-07"):
        cholesky_factor("cov", cov, 2e-7)
    cholesky_factor("cov", cov.astype(float), 2e-7)


def test_noise_is_lost_beside_loadings():
    loadings = np.array([[3.0, 4.0], [0.0, 0.0]])  # variances 25 and 0
    assert noise_is_lost(loadings, np.array([25 * 4 * 2.0**-53, 1.0]))
    assert not noise_is_lost(loadings, np.array([25 * 4 * 2.0**-51, 1e-30]))
    stack = np.stack([loadings, loadings / 1e9])
    noise = np.full((2, 2), 1e-15)
    assert noise_is_lost(stack, noise)
    assert not noise_is_lost(stack[1:], noise[1:])


@pytest.mark.parametrize("k", [1, 3, 7])  # 7 latents of 5 coordinates
def test_posterior_root_inverts_and_measures_the_covariance(k):
    """By it: the covariance of z, Woodbury's inverse, the determinant."""
    rng = np.random.default_rng(k)
    loadings, noise = rng.standard_normal((5, k)), rng.uniform(0.1, 2, 5)
    scaled, root = posterior_root(loadings, noise)
    cov = loadings @ loadings.T + np.diag(noise)
    np.testing.assert_allclose(scaled, np.diag(1 / noise) @ loadings)
    np.testing.assert_allclose(root, np.tril(root), atol=1e-14)
    wanted = np.eye(k) - loadings.T @ np.linalg.solve(cov, loadings)
    np.testing.assert_allclose(root.T @ root, wanted, atol=1e-10)
    inverse = np.diag(1 / noise) - scaled @ root.T @ root @ scaled.T
    np.testing.assert_allclose(inverse @ cov, np.eye(5), atol=1e-9)
    log_det = np.log(noise).sum() - 2 * np.log(np.diag(root)).sum()
    np.testing.assert_allclose(log_det, np.linalg.slogdet(cov)[1])


def test_posterior_root_of_a_stack_is_that_of_each():
    rng = np.random.default_rng(0)
    loadings = rng.standard_normal((2, 3, 6, 2))
    noise = rng.uniform(0.1, 2, (2, 3, 6))
    scaled, root = posterior_root(loadings, noise)
    assert scaled.shape == (2, 3, 6, 2) and root.shape == (2, 3, 2, 2)
    for i in np.ndindex(2, 3):
        wanted = posterior_root(loadings[i], noise[i])
        np.testing.assert_allclose(scaled[i], wanted[0], rtol=1e-14)
        np.testing.assert_allclose(root[i], wanted[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 7, 1), (0, 7, 3), (5, 0, 3)])
def test_matmul_is_the_product_whatever_the_layout(shape, dtype):
    n, d, k = shape
    rng = np.random.default_rng(3)
    a = rng.standard_normal((n, 2 * d)).astype(dtype)
    b = rng.standard_normal((2 * d, k)).astype(dtype)
    for left in [a[:, :d], a[:, ::2], a[:, :d].copy(), a[:, :d].copy("F")]:
        for right in [b[:d], b[::2], b[:d].copy(), b[:d].copy("F")]:
            found = matmul(left, right)
            assert found.dtype == dtype
            np.testing.assert_allclose(found, left @ right, atol=1e-5)
