"""The digits arrive whole or not at all, and are prepared as promised."""

import contextlib
import hashlib
import inspect
import os
import random
import shutil
import subprocess
import sys
import warnings
from functools import cache

import matplotlib as mpl
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import kstest, logistic

import utils.data
from utils.data import (
    dequantize,
    from_logit,
    load_mnist,
    preprocess,
    to_images,
    to_logit,
    validation_split,
)

few = settings(derandomize=True, deadline=None, max_examples=30, database=None)
NAMES = ["x_train", "y_train", "x_test", "y_test"]
# The sums of the four original files' contents, written out once more: a
# change of the table in utils must not pass unseen.
SHA256 = dict(
    x_train="741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    y_train="1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    x_test="6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    y_test="ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
)


@cache
def mnist():
    (x_train, y_train), (x_test, y_test) = load_mnist()
    found = dict(zip(NAMES, (x_train, y_train, x_test, y_test), strict=True))
    for array in found.values():
        array.flags.writeable = False
    return found


# The bundled file


@pytest.mark.parametrize("name", NAMES)
def test_bundled_array_is_mnist(name):
    array = mnist()[name]
    n = 60_000 if "train" in name else 10_000
    assert array.shape == ((n, 28, 28) if name[0] == "x" else (n,))
    assert array.dtype == np.uint8
    assert hashlib.sha256(array.tobytes()).hexdigest() == SHA256[name]


def test_bundled_digits_have_the_known_counts():
    x, y = mnist()["x_train"], mnist()["y_train"]
    assert [(y == label).sum() for label in range(10)] == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    assert round(x.mean(), 6) == 33.318421
    assert (x.min(axis=0) == x.max(axis=0)).sum() == 67
    assert round((x == 0).mean(), 2) == 0.81


def test_bundled_file_has_the_layout_of_keras():
    with np.load(utils.data.MNIST_FILE, allow_pickle=False) as file:
        assert sorted(file) == sorted(NAMES)


class Bomb:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


def flip(position):
    def write(path, trace):
        raw = bytearray(utils.data.MNIST_FILE.read_bytes())
        raw[position] ^= 0xFF
        path.write_bytes(raw)

    return write


def truncate(path, trace):
    raw = utils.data.MNIST_FILE.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])


def bare_array(path, trace):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def arrays_with(**changed):
    """Small arrays, with some of them changed."""

    def write(path, trace):
        plain = {name: np.zeros(1, np.uint8) for name in NAMES}
        np.savez(path, **plain | changed)

    return write


def without_labels(path, trace):
    np.savez(path, **{n: mnist()[n] for n in NAMES if n != "y_test"})


def one_pixel_changed(path, trace):
    changed = {name: array.copy() for name, array in mnist().items()}
    changed["x_test"][5, 14, 14] ^= 1
    np.savez(path, **changed)


def labels_swapped(path, trace):
    changed = {name: array.copy() for name, array in mnist().items()}
    changed["y_train"][[0, 1]] = changed["y_train"][[1, 0]]
    np.savez(path, **changed)


def pickled(path, trace):
    bombs = np.array([Bomb(trace)], dtype=object)
    np.savez(path, **{name: bombs for name in NAMES})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(flip(0), "expected an npz", id="first byte"),
        pytest.param(flip(100), "expected an npz", id="a byte of the header"),
        pytest.param(flip(5_000_000), "expected an npz", id="a byte inside"),
        pytest.param(flip(-8), "expected an npz", id="a byte of the index"),
        pytest.param(truncate, "expected an npz", id="cut off"),
        pytest.param(
            lambda path, _: path.write_bytes(b""), "found an empty", id="void"
        ),
        pytest.param(
            lambda path, _: path.write_text("<html>Not found</html>"),
            "found a web page",
            id="a web page",
        ),
        pytest.param(
            lambda path, _: path.write_text(
                "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
            ),
            "found a pointer of git-lfs",
            id="a pointer",
        ),
        pytest.param(bare_array, "found a single array", id="an npy file"),
        pytest.param(
            lambda path, _: path.mkdir(), "found a folder", id="a folder"
        ),
        pytest.param(pickled, "found arrays of Python objects", id="objects"),
        pytest.param(
            without_labels, "found KeyError.*y_test", id="an array lacks"
        ),
        pytest.param(
            arrays_with(), r"x_train .* \(60000, 28, 28\)", id="shape"
        ),
        pytest.param(
            arrays_with(x_train=np.zeros((60_000, 28, 28), np.int8)),
            "x_train .* must be uint8 .* found int8",
            id="dtype",
        ),
        pytest.param(
            one_pixel_changed, "x_test .* expected sha256 6d87", id="one pixel"
        ),
        pytest.param(
            labels_swapped, "y_train .* expected sha256 1feb", id="two labels"
        ),
    ],
)
def test_damaged_file_is_refused(damage, message, tmp_path, monkeypatch):
    path, trace = tmp_path / "mnist.npz", tmp_path / "trace"
    damage(path, trace)
    monkeypatch.setattr(utils.data, "MNIST_FILE", path)
    with pytest.raises(ValueError, match=message) as error:
        load_mnist()
    assert str(path) in str(error.value)
    assert f"git checkout -- {path}" in str(error.value)
    assert "pickle" not in str(error.value)
    assert not trace.exists()  # nothing was unpickled


def test_missing_file_is_named(tmp_path, monkeypatch):
    path = tmp_path / "mnist.npz"
    monkeypatch.setattr(utils.data, "MNIST_FILE", path)
    with pytest.raises(FileNotFoundError, match="is missing") as error:
        load_mnist()
    assert str(path) in str(error.value)
    assert f"git checkout -- {path}" in str(error.value)


def test_unknown_source_is_refused():
    with pytest.raises(ValueError, match="source .* got 'web'"):
        load_mnist(source="web")


# Keras's download, with its one function that fetches replaced


def keras_reads(path, monkeypatch):
    """Make keras.datasets.mnist read a file instead of fetching one."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of its own imports
        from keras.datasets import mnist as keras_mnist

    asked = []

    def get_file(*args, **options):
        asked.append(options.get("origin"))
        return str(path)

    module = inspect.getmodule(keras_mnist.load_data)
    monkeypatch.setattr(module, "get_file", get_file)
    return asked


def test_keras_source_gives_the_same_arrays(tmp_path, monkeypatch):
    path = tmp_path / "keras.npz"
    np.savez(path, **mnist())
    asked = keras_reads(path, monkeypatch)
    (x_train, y_train), (x_test, y_test) = load_mnist(source="keras")
    assert len(asked) == 1 and "mnist" in asked[0]
    for name, array in zip(
        NAMES, (x_train, y_train, x_test, y_test), strict=True
    ):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, mnist()[name])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (one_pixel_changed, "x_test in .* expected sha256 6d87"),
        (arrays_with(), r"x_train in .* \(60000, 28, 28\), found uint8"),
    ],
)
def test_wrong_keras_file_is_refused(damage, message, tmp_path, monkeypatch):
    path = tmp_path / "keras.npz"
    damage(path, None)
    keras_reads(path, monkeypatch)
    with pytest.raises(ValueError, match=message) as error:
        load_mnist(source="keras")
    assert "keras.datasets.mnist" in str(error.value)
    assert "Delete mnist.npz" in str(error.value)


# Nothing else happens


def global_state():
    return (
        np.get_printoptions(),
        np.geterr(),
        repr(np.random.get_state()),  # noqa: NPY002
        random.getstate(),
        dict(mpl.rcParams),
        list(warnings.filters),
        dict(os.environ),
        list(sys.path),
        os.getcwd(),
    )


def test_loading_changes_no_global_state():
    before = global_state()
    load_mnist()
    assert global_state() == before


QUIET = """
import random, socket, sys
import matplotlib, numpy as np

def refuse(*args, **options):
    raise AssertionError("a socket was opened")

socket.socket.connect = refuse
socket.create_connection = socket.getaddrinfo = refuse
matplotlib.rcParams["backend"]  # choose it now: it is a setting too
state = lambda: (
    np.get_printoptions(), repr(np.random.get_state()), random.getstate(),
    dict(matplotlib.rcParams), list(sys.path),
)
before = state()
import utils.checks, utils.data, utils.gaussian, utils.scores
import utils.plotting, utils.scores
import utils.statistics
assert state() == before
loaded = {"keras", "jax", "tensorflow", "torch", "sklearn"} & set(sys.modules)
assert not loaded, loaded
assert not matplotlib.pyplot.get_fignums()
utils.data.load_mnist()
assert state() == before
"""


def test_importing_is_quiet(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", QUIET],
        capture_output=True,
        text=True,
        env=os.environ | {"MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_a_broken_file_does_not_break_the_import(tmp_path):
    package = tmp_path / "utils"
    shutil.copytree(
        utils.data.MNIST_FILE.parent,
        package,
        ignore=shutil.ignore_patterns("*.npz", "__pycache__"),
    )
    run = subprocess.run(
        [sys.executable, "-c", "import utils.data as d; print(d.__file__)"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    assert str(package) in run.stdout


# Preparing the digits

some_images = arrays(
    np.uint8, array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=6)
)


@few
@given(some_images)
def test_preprocess_flattens_and_divides(images):
    kept = images.copy()
    x = preprocess(images)
    n, height, width = images.shape
    assert x.shape == (n, height * width) and x.dtype == np.float32
    for i, r, c in np.ndindex(images.shape):
        wanted = np.float32(images[i, r, c]) / np.float32(255)
        assert x[i, r * width + c] == wanted
    np.testing.assert_array_equal(images, kept)


@few
@given(
    arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(5), st.just(5))),
    st.sampled_from([np.float32, np.float64]),
)
def test_to_images_undoes_preprocess(images, dtype):
    back = to_images(preprocess(images).astype(dtype))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, images)


def test_to_images_undoes_preprocess_for_each_level():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_array_equal(to_images(preprocess(levels)), levels)


def test_to_images_clips_and_rounds():
    x = np.array([[-3.0, 0.49 / 255, 0.51 / 255, 7.0]])
    np.testing.assert_array_equal(to_images(x), [[[0, 0], [1, 255]]])


def rows_and_labels(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    return np.arange(len(y)), y


@few
@given(
    st.lists(st.integers(20, 60), min_size=1, max_size=5),
    st.integers(10, 40),
    st.integers(0, 5),
)
def test_validation_split_is_a_stratified_partition(counts, percent, seed):
    x, y = rows_and_labels(counts)
    y = y.astype(np.uint8)
    n = len(y) * percent // 100
    (x_fit, y_fit), (x_val, y_val) = validation_split(
        x, y, n, np.random.default_rng(seed)
    )
    assert len(x_val) == n
    assert sorted([*x_fit, *x_val]) == list(x)
    np.testing.assert_array_equal(y[x_fit], y_fit)
    np.testing.assert_array_equal(y[x_val], y_val)
    share = np.bincount(y_val, minlength=len(counts))
    assert np.abs(share - n * np.array(counts) / len(y)).max() < 1 + 1e-9


def test_validation_split_follows_its_rng():
    x, y = mnist()["x_test"], mnist()["y_test"]
    first, again, other = (
        validation_split(x, y, 1000, np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    assert first[1][0].shape == (1000, 28, 28)
    assert (first[1][0] != other[1][0]).any()
    rows = np.arange(len(y))
    for side, _ in validation_split(rows, y, 1000, np.random.default_rng(0)):
        assert (np.diff(side) < 0).any()  # shuffled


@few
@given(some_images.filter(lambda images: images.size), st.integers(0, 9))
def test_dequantize_stays_in_the_bin(images, seed):
    kept = images.copy()
    x = dequantize(images, np.random.default_rng(seed))
    assert x.dtype == np.float32 and x.shape == (len(images), x[0].size)
    levels = images.reshape(x.shape)
    np.testing.assert_array_equal(np.floor(x * 256), levels)
    assert (x < (levels.astype(float) + 1) / 256).all()
    np.testing.assert_array_equal(images, kept)


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_dequantize_is_uniform_over_the_bin(level):
    images = np.full((1, 200, 200), level, np.uint8)
    x = dequantize(images, np.random.default_rng(level))
    u = x.astype(float) * 256 - level
    assert kstest(u.ravel(), "uniform").pvalue > 1e-3


class Largest(np.random.Generator):
    """Draws the largest float below 1, the worst case of rounding."""

    def random(self, shape, dtype=np.float64):
        return np.full(shape, np.nextafter(dtype(1), dtype(0)))


def test_dequantize_never_reaches_the_next_bin():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    x = dequantize(images, Largest(np.random.PCG64(0)))
    np.testing.assert_array_equal(np.floor(x * 256), images.reshape(1, 256))


def test_dequantize_follows_its_rng():
    images = mnist()["x_test"][:3]
    first, again, other = (
        dequantize(images, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_images_give_no_rows():
    none = np.zeros((0, 28, 28), np.uint8)
    assert preprocess(none).shape == (0, 784)
    assert dequantize(none, np.random.default_rng(0)).shape == (0, 784)
    assert to_images(np.zeros((0, 784))).shape == (0, 28, 28)


# Logit space

alphas = st.sampled_from([1e-6, 0.01, 0.3])
unit_rows = arrays(
    float,
    st.tuples(st.integers(0, 3), st.integers(1, 4)),
    elements=st.floats(0, 1),
)


def logit_in_fifty_digits(x, alpha):
    """The logit of one value, and the logarithm of its derivative."""
    with mpmath.workdps(50):
        x, alpha = mpmath.mpf(x), mpmath.mpf(alpha)

        def logit(x):
            s = alpha + (1 - 2 * alpha) * x
            return mpmath.log(s / (1 - s))

        return float(logit(x)), float(mpmath.log(mpmath.diff(logit, x)))


@few
@given(unit_rows, alphas)
def test_from_logit_undoes_to_logit(x, alpha):
    kept = x.copy()
    t, log_det = to_logit(x, alpha)
    assert t.shape == x.shape and log_det.shape == x.shape[:1]
    np.testing.assert_allclose(from_logit(t, alpha), x, atol=1e-12)
    np.testing.assert_array_equal(x, kept)


@few
@given(unit_rows, alphas)
def test_to_logit_matches_mpmath(x, alpha):
    t, log_det = to_logit(x, alpha)
    wanted = [
        [logit_in_fifty_digits(value, alpha) for value in row]
        for row in x.tolist()
    ]
    wanted = np.array(wanted).reshape(*x.shape, 2)
    np.testing.assert_allclose(t, wanted[..., 0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        log_det, wanted[..., 1].sum(axis=1), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("alpha", [0.49, 1e-6, 1e-9, 1e-12, 1e-17])
def test_alpha_keeps_the_ends_finite(alpha):
    t, log_det = to_logit(np.array([[0], [1]]), alpha)
    low, slope = logit_in_fifty_digits(0, alpha)
    rtol = min(1e-12 + 1e-16 / alpha, 0.1)  # 1 - alpha is rounded
    np.testing.assert_allclose(t[0], [low], rtol=1e-12)
    np.testing.assert_allclose(t[1], [-low], rtol=rtol)
    np.testing.assert_allclose(log_det, [slope, slope], rtol=rtol)


@pytest.mark.parametrize("alpha", [1e-6, 0.05])
def test_log_det_is_that_of_the_numerical_jacobian(alpha):
    x = np.random.default_rng(0).uniform(0.05, 0.95, size=(3, 4))
    for row, log_det in zip(x, to_logit(x, alpha)[1], strict=True):
        step = 1e-6 * np.eye(4)
        up, down = (to_logit(row + s, alpha)[0] for s in (step, -step))
        sign, wanted = np.linalg.slogdet((up - down) / 2e-6)
        assert sign == 1
        np.testing.assert_allclose(log_det, wanted, rtol=1e-7)


def test_a_density_of_pixels_keeps_its_mass_in_logit_space():
    """log p(x) = log p(t) + log_det: a logistic t is a uniform x."""
    x = np.linspace(0, 1, 11)[:, None]
    alpha = 1e-9
    t, log_det = to_logit(x, alpha)
    log_p = logistic.logpdf(t[:, 0]) + log_det
    np.testing.assert_allclose(log_p, np.log1p(-2 * alpha), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_logits_are_float64(dtype):
    x = np.array([[0, 1], [1, 0]], dtype)
    t, log_det = to_logit(x)
    assert t.dtype == log_det.dtype == np.float64
    np.testing.assert_array_equal(t, to_logit(x.astype(float))[0])
    assert from_logit(x).dtype == np.float64


def test_the_default_alpha_is_a_millionth():
    x = np.array([[0.0, 0.5, 1]])
    np.testing.assert_array_equal(to_logit(x)[0], to_logit(x, 1e-6)[0])
    np.testing.assert_array_equal(from_logit(x), from_logit(x, 1e-6))


def test_from_logit_ends_just_outside():
    x = from_logit(np.array([[-1e3, 0, 1e3]]), 0.1)
    np.testing.assert_allclose(x, [[-0.125, 0.5, 1.125]])


# Bad input

IMAGES = np.zeros((4, 2, 2), np.uint8)
ROWS, LABELS = np.zeros((10, 4)), np.arange(10) % 2
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: preprocess(IMAGES[0]), r"images .* got \(2, 2\)"),
        (lambda: preprocess(IMAGES / 255), "images .* got float64"),
        (lambda: preprocess(IMAGES.astype(int)), "images .* got int64"),
        (lambda: preprocess(None), r"images .* got \(\)"),
        (lambda: preprocess([[1], [1, 2]]), "images is not an array"),
        (lambda: to_images(ROWS[0]), r"x .* got \(4,\)"),
        (lambda: to_images(np.zeros((2, 3))), r"x .* got \(2, 3\)"),
        (lambda: to_images(np.full((2, 4), np.nan)), "x holds 8 .* NaN"),
        (lambda: to_images(np.full((2, 4), np.inf)), "x holds 8 .* infinite"),
        (lambda: to_images(np.zeros((2, 4), int)), "x .* int64"),
        (
            lambda: validation_split(ROWS[:9], LABELS, 4, RNG),
            r"x has shape \(9, 4\), y has 10",
        ),
        (
            lambda: validation_split(7, LABELS, 4, RNG),
            r"x has shape \(\), y has 10",
        ),
        (
            lambda: validation_split(ROWS, LABELS[None], 4, RNG),
            r"y .* got \(1, 10\)",
        ),
        (
            lambda: validation_split(ROWS, LABELS / 2, 4, RNG),
            "y has .* float64",
        ),
        (lambda: validation_split(ROWS, LABELS, 0, RNG), "n must .* got 0"),
        (lambda: validation_split(ROWS, LABELS, -1, RNG), "n must .* got -1"),
        (lambda: validation_split(ROWS, LABELS, 2.5, RNG), "n must .* 2.5"),
        (lambda: validation_split(ROWS, LABELS, 1, RNG), "n must .* got 1"),
        (lambda: validation_split(ROWS, LABELS, 9, RNG), "n must .* got 9"),
        (lambda: validation_split(ROWS, LABELS, 10, RNG), "n must .* got 10"),
        (
            lambda: validation_split(ROWS, np.r_[LABELS[:9], 2], 4, RNG),
            "y has one row of class 2",
        ),
        (
            lambda: validation_split(
                np.zeros(1002), np.r_[np.zeros(1000, int), 1, 1], 4, RNG
            ),
            "y has a class too rare for n = 4",
        ),
        (lambda: validation_split(ROWS, LABELS, 4, 0), "rng .* got int"),
        (lambda: dequantize(IMAGES / 255, RNG), "images .* got float64"),
        (lambda: dequantize(IMAGES[0, 0], RNG), r"images .* shape \(2,\)"),
        (
            lambda: dequantize(IMAGES, np.random.RandomState(0)),
            "rng .* got RandomState",
        ),
        (lambda: dequantize(IMAGES, None), "rng .* got NoneType"),
        (lambda: to_logit(ROWS[0]), r"x must .* got \(4,\)"),
        (lambda: to_logit(ROWS + np.nan), "x holds 40 .* NaN"),
        (lambda: to_logit(ROWS + 1.001), r"x must .* got 1 \.\.\. 1$"),
        (lambda: to_logit(ROWS - 0.25), r"x must .* got -0\.25 \.\.\. -0"),
        (lambda: to_logit(IMAGES[0] + 2), r"x must .* got 2 \.\.\. 2"),
        (lambda: to_logit(ROWS, 0.0), r"alpha .* \(0, 0.5\), got 0.0"),
        (lambda: to_logit(ROWS, 0.5), "alpha .* got 0.5"),
        (lambda: to_logit(ROWS, -1e-6), "alpha .* got -1e-06"),
        (lambda: to_logit(ROWS, np.nan), "alpha .* got nan"),
        (lambda: to_logit(ROWS, None), "alpha .* got None"),
        (lambda: to_logit(ROWS, "0.1"), "alpha .* got '0.1'"),
        (lambda: from_logit(ROWS[0]), r"t must .* got \(4,\)"),
        (lambda: from_logit(ROWS + np.inf), "t holds 40 .* infinite"),
        (lambda: from_logit(ROWS, 0.5), "alpha .* got 0.5"),
        (lambda: from_logit(ROWS, 0), "alpha .* got 0$"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("n", [0, 2.5, 99])
def test_a_refused_call_draws_nothing(n):
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    with contextlib.suppress(ValueError):
        validation_split(ROWS, LABELS, n, rng)
    with contextlib.suppress(ValueError):
        dequantize(IMAGES / 255, rng)
    assert rng.bit_generator.state == before
