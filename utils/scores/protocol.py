"""Score the samples of a model, the same way for each."""

import os
import platform
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.checks import check_labels, check_rng, finite_array
from utils.data import preprocess
from utils.scores.board import Row, pack
from utils.scores.columns import COLUMNS, Drawn, Reference, nearest_of_some
from utils.scores.judge import JUDGE_SHA256, read_digits

__all__ = [
    "LABELS",
    "machine",
    "make_reference",
    "sample_classes",
    "score_model",
    "stratified_choice",
]

N_CLASS = 250  # samples a digit
LABELS = np.repeat(np.arange(10), N_CLASS)  # the digits asked for
SEEDS = (0, 1, 2)  # of sampling


def make_reference(
    x_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> Reference:
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
    chosen = stratified_choice(y_test, np.random.default_rng(0))
    x = preprocess(x_test[chosen])
    reading = read_digits(x)
    distance = nearest_of_some(x, LABELS, x_train)
    return Reference(
        features=reading.features,
        maps=reading.maps,
        x_train=x_train,
        nearest=float(np.median(distance)),
        rest=np.setdiff1d(np.arange(len(x_test)), chosen),
    )


def stratified_choice(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose 250 rows of each digit, zeros first, without replacement.

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


def sample_classes(
    models: Sequence,
    labels: np.ndarray,
    rng: np.random.Generator,
    **options: Any,
) -> np.ndarray:
    """Draw a row for each label from the model of that class.

    Parameters
    ----------
    models : sequence
        One a class; each has ``sample(n, rng, **options)``.
    labels : int ndarray of shape (n,)
    rng : numpy.random.Generator
        The classes take their turns in the order of their numbers.
    **options
        For each model's `sample`.

    Returns
    -------
    ndarray of shape (n, d)

    Raises
    ------
    ValueError
        If labels are no classes, or empty.
    """
    labels = check_labels("labels", labels, len(labels), len(models))
    if not len(labels):
        raise ValueError("labels is empty")
    counts = np.bincount(labels, minlength=len(models))
    parts = [
        model.sample(count, rng, **options)
        for model, count in zip(models, counts.tolist(), strict=True)
        if count
    ]
    drawn = np.concatenate(parts)
    x = np.empty_like(drawn)
    x[np.argsort(labels, kind="stable")] = drawn
    return x


def score_model(
    model: str,
    lesson: int,
    draw: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    reference: Reference,
    *,
    conditional: bool = True,
    bound: bool = False,
    **known: float | None,
) -> Row:
    """Score the samples that a model draws with three seeds.

    Parameters
    ----------
    model : str
        Its name on the scoreboard.
    lesson : int
    draw : callable
        ``draw(labels, rng)`` gives a sample of 784 pixels for each label,
        250 of each digit. They are clipped to [0, 1].
    reference : Reference
    conditional : bool
        False for a model that cannot be asked for a digit.
    bound : bool
        Whether `bits` and `nats` are upper bounds.
    **known
        What samples cannot tell, under the names of
        `utils.scores.columns.COLUMNS`: `parameters`, `bits`, `nats`,
        `bayes`, `fit_s`.

    Returns
    -------
    Row

    Raises
    ------
    ValueError
        If a draw has another shape or holds a value that is not finite, or
        there is no column of a known score.
    """
    measured = {c.name for c in COLUMNS if c.each or c.once} | {"sample_s"}
    names = {column.name for column in COLUMNS} - {"model", "lesson"}
    if unknown := set(known) - (names - measured):
        raise ValueError(f"no score to be told is named {sorted(unknown)}")
    seconds = 0.0
    draws: list[np.ndarray] = []
    found: dict[str, list] = {c.name: [] for c in COLUMNS if c.each}
    scores: dict[str, Any] = dict.fromkeys(names) | known
    for seed in SEEDS:
        rng, start = np.random.default_rng(seed), time.perf_counter()
        x = draw(LABELS.copy(), rng)
        seconds += time.perf_counter() - start
        x = finite_array("draw(labels, rng)", x, (len(LABELS), 784))
        x = np.clip(x, 0, 1).astype(np.float32)
        drawn = Drawn(x, LABELS, conditional, reference)
        for column in COLUMNS:
            if column.each:
                found[column.name].append(column.each(drawn))
            if column.once and not draws:
                scores[column.name] = column.once(drawn)
        draws.append(x[::N_CLASS])
    scores |= {name: _spread(values) for name, values in found.items()}
    scores["sample_s"] = seconds * 1000 / (len(SEEDS) * len(LABELS))
    return Row(
        model=model,
        lesson=lesson,
        scores=scores,
        bound=bound,
        samples=pack(draws[0]),
        machine=machine(),
        judge=JUDGE_SHA256[:16],
    )


def _spread(values):
    """Mean and standard deviation, or None where there is no number."""
    if None in values:
        return None
    return float(np.mean(values)), float(np.std(values, ddof=1))


def machine() -> str:
    """Name of this machine's processor, and its number of cores."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        info = Path("/proc/cpuinfo").read_text("utf-8")
        found = re.search(r"(?m)^model name\s*: (.*)$", info)
        name = found[1] if found else name
    return f"{name}, {os.cpu_count()} cores"
