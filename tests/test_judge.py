"""The judge reads digits well, alike everywhere, and cannot be swapped."""

import importlib.util
import os
import subprocess
import sys
import warnings
from functools import cache

import numpy as np
import pytest

import utils.scores.judge
from utils.data import load_mnist, preprocess
from utils.scores.judge import JUDGE_FILE, Reading, load_judge, read_digits

SHAPES = {"probs": (10,), "features": (128,), "maps": (1152,)}


@cache
def test_digits():
    """All test digits as rows, their labels, and what the judge says."""
    _, (x, y) = load_mnist()
    x = preprocess(x)
    x.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Keras's own imports
        load_judge()
    return x, y, read_digits(x)


test_digits.__test__ = False


@cache
def stored_weights():
    with np.load(JUDGE_FILE, allow_pickle=False) as file:
        return [file[f"arr_{i}"] for i in range(len(file.files))]


@pytest.mark.slow
def test_the_judge_reads_ninety_nine_of_a_hundred_test_digits():
    _, y, reading = test_digits()
    assert (reading.probs.argmax(axis=1) == y).mean() >= 0.99


def test_a_reading_has_the_shapes_it_promises():
    _, _, reading = test_digits()
    assert reading._fields == tuple(SHAPES)
    for name, array in reading._asdict().items():
        assert array.shape == (10_000, *SHAPES[name])
        assert array.dtype == np.float32
    np.testing.assert_allclose(reading.probs.sum(axis=1), 1, atol=1e-5)


def test_the_weights_are_small_and_plain_numbers():
    assert JUDGE_FILE.stat().st_size < 1e6
    assert {w.dtype for w in stored_weights()} == {np.dtype(np.float32)}
    assert all(np.isfinite(w).all() for w in stored_weights())


def test_the_judge_is_loaded_once():
    assert load_judge() is load_judge()


# The same network, in NumPy


def convolve(h, kernel):
    """What Keras calls a convolution, with zeros around the picture."""
    padded = np.pad(h, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return np.einsum("nhwcij,ijcm->nhwm", windows, kernel, optimize=True)


def by_numpy(x):
    """The judge as its docstring tells it, in float64."""
    weights = iter([w.astype(float) for w in stored_weights()])
    h = x.reshape(-1, 28, 28, 1).astype(float)
    for size in (28, 14, 7):
        if size < 28:  # the largest of each 2 x 2 pixels
            tiles = h.reshape(len(h), size, 2, size, 2, h.shape[-1])
            h = tiles.max(axis=(2, 4))
        h = convolve(h, next(weights))
        gamma, beta, mean, variance = (next(weights) for _ in range(4))
        h = gamma * (h - mean) / np.sqrt(variance + 1e-3) + beta
        h = np.maximum(h, 0)
    maps = [
        h[:, top : top + 3, left : left + 3].mean(axis=(1, 2))
        for top in (0, 2, 4)
        for left in (0, 2, 4)
    ]
    maps = np.stack(maps, axis=1).reshape(len(h), -1)
    logits = maps @ next(weights) + next(weights)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = odds / odds.sum(axis=1, keepdims=True)
    assert not list(weights)
    return Reading(probs, h.mean(axis=(1, 2)), maps)


def assert_alike(got, wanted):
    for name, array in got._asdict().items():
        other = getattr(wanted, name)
        np.testing.assert_allclose(array, other, atol=1e-4, err_msg=name)


def test_the_judge_is_the_network_that_its_docstring_tells():
    x, _, reading = test_digits()
    wanted = by_numpy(x[:50])
    assert wanted.maps.max() > 0.5 and wanted.probs.max() > 0.99
    assert_alike(Reading(*(array[:50] for array in reading)), wanted)


READ = """
import sys
import numpy as np
from utils.data import load_mnist, preprocess
from utils.scores.judge import read_digits

reading = read_digits(preprocess(load_mnist()[1][0][:50]))
import keras
assert keras.backend.backend() == sys.argv[2]
np.savez(sys.argv[1], **reading._asdict())
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_each_backend_reads_the_same(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    path = tmp_path / "reading.npz"
    run = subprocess.run(
        [sys.executable, "-c", READ, path, backend],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": backend},
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    with np.load(path) as file:
        assert_alike(Reading(**file), by_numpy(test_digits()[0][:50]))


@pytest.mark.parametrize(
    "settings",
    [
        {"image_data_format": "channels_first", "floatx": "float16"},
        {"dtype_policy": "mixed_float16"},
        {"max_steps_per_epoch": 1},
    ],
    ids=str,
)
def test_the_settings_of_the_user_change_no_reading(settings):
    """As keras.json, or a cell of the user's own, sets them."""
    x, _, wanted = test_digits()
    from keras import config

    kept = {name: getattr(config, name)() for name in settings}
    load_judge.cache_clear()
    try:
        for name, value in settings.items():
            getattr(config, f"set_{name}")(value)
        reading = read_digits(x[:100])
    finally:
        for name, value in kept.items():
            getattr(config, f"set_{name}")(value)
        load_judge.cache_clear()
    for got, array in zip(reading, wanted, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, array[:100], atol=1e-5)


# What goes in


def test_values_beyond_ink_and_paper_are_clipped():
    x = 3 * test_digits()[0][:20] - 1
    assert x.min() == -1 and x.max() == 2
    wanted = by_numpy(np.clip(x, 0, 1))
    assert_alike(read_digits(x), wanted)
    assert_alike(read_digits(x.astype(float)), wanted)
    other = by_numpy(x)  # it would matter
    assert np.abs(other.features - wanted.features).max() > 0.1


def test_a_reading_does_not_depend_on_its_company():
    """Nor does the length of the last batch."""
    x, _, reading = test_digits()
    some = read_digits(x[np.r_[7, 600:1101]])
    wanted = Reading(*(array[np.r_[7, 600:1101]] for array in reading))
    assert_alike(some, wanted)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(784), r"x must .* got \(784,\)"),
        (np.zeros((2, 28, 28)), r"x must .* got \(2, 28, 28\)"),
        (np.zeros((2, 783)), r"x must .* got \(2, 783\)"),
        (np.zeros((0, 784)), "x is empty"),
        (np.full((1, 784), np.nan), "x holds 784 .* NaN"),
        (np.full((1, 784), np.inf), "x holds 784 .* infinite"),
        (np.zeros((1, 784), bool), "x .* bool"),
        (None, "x must"),
    ],
)
def test_bad_input_is_named(x, message):
    with pytest.raises(ValueError, match=message):
        read_digits(x)


# The file of its weights


def flip(raw):
    return raw[:1000] + bytes([raw[1000] ^ 1]) + raw[1001:]


@pytest.mark.parametrize(
    "damage",
    [flip, lambda raw: raw[:-1], lambda raw: raw + b"\n", lambda raw: b""],
    ids=["a bit", "cut off", "a byte more", "void"],
)
def test_damaged_weights_are_refused(damage, tmp_path, monkeypatch):
    path = tmp_path / "judge.npz"
    path.write_bytes(damage(JUDGE_FILE.read_bytes()))
    monkeypatch.setattr(utils.scores.judge, "JUDGE_FILE", path)
    with pytest.raises(
        ValueError, match="not hold the judge's weights: expected sha256 bd38"
    ) as error:
        load_judge.__wrapped__()
    assert str(error.value).startswith(str(path))
    assert f"git checkout -- {path}" in str(error.value)


def test_missing_weights_are_named(tmp_path, monkeypatch):
    path = tmp_path / "judge.npz"
    monkeypatch.setattr(utils.scores.judge, "JUDGE_FILE", path)
    with pytest.raises(FileNotFoundError, match="is missing") as error:
        load_judge.__wrapped__()
    assert f"git checkout -- {path}" in str(error.value)


class Bomb:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    """Not even where the sum is right."""
    path, trace = tmp_path / "judge.npz", tmp_path / "trace"
    np.savez(path, np.array([Bomb(trace)], dtype=object))
    found = utils.scores.judge.hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(utils.scores.judge, "JUDGE_FILE", path)
    monkeypatch.setattr(utils.scores.judge, "JUDGE_SHA256", found)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_judge.__wrapped__()
    assert not trace.exists()


def test_importing_the_judge_imports_no_keras():
    code = (
        "import sys, utils.scores\n"
        "print({'keras', 'jax', 'torch', 'tensorflow'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (0, "set()\n"), run.stderr


# Its training


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning:keras")
def test_training_follows_its_seed():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Keras's own imports
        from tools import make_judge  # before Keras: it chooses the backend
    x, y, _ = test_digits()
    fit, val = (x[:300], y[:300]), (x[300:310], y[300:310])
    first, again = (
        make_judge.train(*fit, val, epochs=1).get_weights() for _ in range(2)
    )
    make_judge.keras.utils.set_random_seed(make_judge.SEED)
    fresh = utils.scores.judge.build_judge().get_weights()
    for one, two, new, kept in zip(
        first, again, fresh, stored_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)
        assert one.shape == kept.shape
        assert 1e-4 < np.abs(one - new).max() < 0.5  # it learns from there
