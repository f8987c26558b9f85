"""Score the samples of a model, the same way for each."""

import os
import platform
import re
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.checks import check_labels, check_rng, finite_array
from utils.data import preprocess
from utils.judge import read_digits
from utils.metrics import (
    class_consistency,
    frechet_distance,
    nearest_distance,
    neighbour_scores,
)
from utils.scoreboard import Row, pack

__all__ = [
    "ASKED",
    "Reference",
    "machine",
    "make_reference",
    "pick",
    "score_model",
]

N_CLASS = 250  # samples a digit
N_NEAREST = 100  # of them, for the nearest training digit
ASKED = np.repeat(np.arange(10), N_CLASS)
SEEDS = (0, 1, 2)
K = 5  # neighbours
BLOCK = 6000  # training digits that are held as floats at a time
N_RESAMPLES = 200  # of the bootstrap


class Reference(NamedTuple):
    """What samples are held against: fixed test digits, 250 a class.

    Attributes
    ----------
    features, maps : float32 ndarrays
        What the judge says of the 2,500 test digits, see
        `utils.judge.Reading`.
    x_train : uint8 ndarray of shape (n, 28, 28)
    nearest : float
        Median distance of 1,000 of them to the nearest training digit.
    rest : int ndarray
        Indices of the test digits that are not among them.
    """

    features: np.ndarray
    maps: np.ndarray
    x_train: np.ndarray
    nearest: float
    rest: np.ndarray


def make_reference(x_train, x_test, y_test):
    """Choose the fixed test digits, and let the judge read them.

    Parameters
    ----------
    x_train, x_test : uint8 ndarrays of shape (n, 28, 28)
    y_test : int ndarray of shape (n,)
        250 of each digit, at least.

    Returns
    -------
    Reference

    Raises
    ------
    ValueError
        If a shape does not fit, or a digit is too rare.
    """
    for name, images in [("x_train", x_train), ("x_test", x_test)]:
        finite_array(name, images, (None, 28, 28), kinds="u")
    check_labels("y_test", y_test, len(x_test), 10)
    chosen = pick(y_test, np.random.default_rng(0))
    x = preprocess(x_test[chosen])
    reading = read_digits(x)
    return Reference(
        features=reading.features,
        maps=reading.maps,
        x_train=x_train,
        nearest=float(np.median(_nearest(x, x_train))),
        rest=np.setdiff1d(np.arange(len(x_test)), chosen),
    )


def pick(y, rng):
    """Choose 250 rows of each digit, in the order of `ASKED`.

    Parameters
    ----------
    y : int ndarray of shape (n,)
        0 to 9, each 250 times at least.
    rng : numpy.random.Generator

    Returns
    -------
    int ndarray of shape (2500,)
        Indices into y.

    Raises
    ------
    ValueError
        If a label is no digit, or a digit is too rare.
    """
    y = check_labels("y", y, len(y), 10)
    check_rng("rng", rng)
    counts = np.bincount(y, minlength=10)
    if counts.min() < N_CLASS:
        raise ValueError(f"y needs {N_CLASS} of each digit, has {counts}")
    rows = [np.flatnonzero(y == label) for label in range(10)]
    return np.concatenate([rng.choice(r, N_CLASS, False) for r in rows])


def score_model(model, lesson, draw, reference, *, asked=True, **known):
    """Score the samples that a model draws with three seeds.

    Parameters
    ----------
    model : str
        Its name on the scoreboard.
    lesson : int
    draw : callable
        ``draw(rng)`` gives 2,500 samples, of shape (2500, 784): 250 zeros,
        250 ones and so on, as in `ASKED`. They are clipped to [0, 1].
    reference : Reference
    asked : bool
        False for a model that cannot be asked for a digit.
    **known
        What samples cannot tell: `parameters`, `fit_s`, `bits`, `nats`,
        `bound`, `bayes`; see `utils.scoreboard.Row`.

    Returns
    -------
    Row

    Raises
    ------
    ValueError
        If a draw has another shape or holds a value that is not finite.
    """
    seconds, found = 0.0, []
    for seed in SEEDS:
        rng, start = np.random.default_rng(seed), time.perf_counter()
        x = draw(rng)
        seconds += time.perf_counter() - start
        x = finite_array("draw(rng)", x, (len(ASKED), 784))
        x = np.clip(x, 0, 1).astype(np.float32)
        found.append(_sample_scores(x, reference))
        if seed == SEEDS[0]:
            ratio, samples = _nearest_ratio(x, reference), pack(x[::N_CLASS])
    pairs = np.stack([np.mean(found, axis=0), np.std(found, axis=0, ddof=1)])
    frechet, precision, recall, consistency = map(tuple, pairs.T.tolist())
    return Row(
        model=model,
        lesson=lesson,
        sample_s=seconds * 1000 / (len(SEEDS) * len(ASKED)),
        frechet=frechet,
        precision=precision,
        recall=recall,
        consistency=consistency if asked else None,
        nearest=ratio,
        samples=samples,
        machine=machine(),
        **known,
    )


def _sample_scores(x, reference):
    """Fréchet distance, precision, recall and consistency of one draw."""
    reading = read_digits(x)
    near = neighbour_scores(reference.maps, reading.maps, K)
    return (
        frechet_distance(reference.features, reading.features),
        near.precision,
        near.recall,
        class_consistency(reading.probs, ASKED),
    )


def _nearest(x, x_train):
    """Distances of 100 samples a digit to the nearest training digit."""
    some = x.reshape(10, N_CLASS, 784)[:, :N_NEAREST].reshape(-1, 784)
    parts = np.array_split(x_train, -(-len(x_train) // BLOCK))
    near = [nearest_distance(some, preprocess(part)) for part in parts]
    return np.min(near, axis=0)


def _nearest_ratio(x, reference):
    """Median distance over that of test digits, and its bootstrap error."""
    ratios = _nearest(x, reference.x_train) / reference.nearest
    rng = np.random.default_rng(0)
    resampled = rng.choice(ratios, (N_RESAMPLES, len(ratios)))
    error = np.median(resampled, axis=1).std(ddof=1)
    return float(np.median(ratios)), float(error)


def machine():
    """Name of this machine's processor, and its number of cores."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        info = Path("/proc/cpuinfo").read_text("utf-8")
        found = re.search(r"(?m)^model name\s*: (.*)$", info)
        name = found[1] if found else name
    return f"{name}, {os.cpu_count()} cores"
