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
from utils.data import preprocess, validation_split
from utils.scores.board import N_SHOWN, Row, pack
from utils.scores.columns import COLUMNS, Drawn, Reference
from utils.scores.judge import JUDGE_SHA256, judge_split
from utils.scores.metrics import frechet_distance
from utils.scores.shapes import read_shapes

__all__ = [
    "LABELS",
    "disjoint_choices",
    "machine",
    "make_reference",
    "sample_classes",
    "score_model",
    "stratified_choice",
]

N_CLASS = 250  # samples a digit
LABELS = np.repeat(np.arange(10), N_CLASS)  # the digits asked for
SEEDS = (0, 1, 2)  # of sampling, each with a set of the reference
Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def make_reference(
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
) -> Reference:
    """Choose what samples are held against, and let the judge read it.

    Parameters
    ----------
    x_train, x_test : uint8 ndarrays of shape (n, 28, 28)
        The digits of MNIST, or others in their place.
    y_train, y_test : int ndarrays of shape (n,)
        750 of each test digit, at least.

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
    y_train = check_labels("y_train", y_train, len(x_train), 10)
    check_labels("y_test", y_test, len(x_test), 10)
    _, held_out = judge_split(y_train)
    sets = disjoint_choices(y_test, len(SEEDS), np.random.default_rng(0))
    x = tuple(preprocess(x_test[rows]) for rows in sets)
    z = tuple(read_shapes(rows).z for rows in x)
    rng = np.random.default_rng(0)
    others = held_out[stratified_choice(y_train[held_out], rng)]
    real = read_shapes(preprocess(x_train[others])).z
    rows = np.arange(len(y_train))
    (half, _), _ = validation_split(rows, y_train, len(rows) // 2, rng)
    return Reference(
        z=z,
        x=x,
        unit=float(np.mean([frechet_distance(a, real) for a in z])),
        x_train=x_train,
        half=np.isin(rows, half),
        held_out=held_out,
    )


def disjoint_choices(
    y: np.ndarray, n: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Choose n sets of 250 rows of each digit that share no row.

    Parameters
    ----------
    y : int ndarray of shape (n_rows,)
        0 to 9, each n times 250 times at least.
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    list of n int ndarrays of shape (2500,)
        Indices into y, those of zeros first.

    Raises
    ------
    ValueError
        If a label is no digit, or a digit is too rare.
    """
    y = check_labels("y", y, len(y), 10)
    check_rng("rng", rng)
    counts, wanted = np.bincount(y, minlength=10), n * N_CLASS
    if counts.min() < wanted:
        raise ValueError(f"y needs {wanted} of each digit, has {counts}")
    rows = [
        rng.choice(np.flatnonzero(y == label), wanted, replace=False)
        for label in range(10)
    ]
    sets = np.reshape(rows, (10, n, N_CLASS)).swapaxes(0, 1)
    return list(sets.reshape(n, -1))


def stratified_choice(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose 250 rows of each digit, zeros first; see `disjoint_choices`."""
    return disjoint_choices(y, 1, rng)[0]


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
        If labels are no classes, or empty, or a model does not draw as many
        rows as it was asked for, all of one length and finite.
    """
    check_rng("rng", rng)
    labels = check_labels("labels", labels, len(labels), len(models))
    if not len(labels):
        raise ValueError("labels is empty")
    counts = np.bincount(labels, minlength=len(models))
    parts, d = [], None
    for label, n in enumerate(counts.tolist()):
        if n:
            part = models[label].sample(n, rng, **options)
            name = f"models[{label}].sample({n}, rng)"
            parts.append(finite_array(name, part, (n, d), "fiub"))
            d = parts[0].shape[1]
    drawn = np.concatenate(parts)
    x = np.empty_like(drawn)
    x[np.argsort(labels, kind="stable")] = drawn
    return x


def score_model(
    model: str,
    lesson: int,
    draw: Draw,
    reference: Reference,
    *,
    half: Draw | None = None,
    conditional: bool = True,
    bound: bool = False,
    **known: float | tuple | None,
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
    half : callable, optional
        Draws from the same model, fitted to the training digits of
        ``reference.half`` only: for the score of copies.
    conditional : bool
        False for a model that cannot be asked for a digit.
    bound : bool
        Whether `bits` and `nats` are upper bounds.
    **known
        What samples cannot tell, under the names of
        `utils.scores.columns.COLUMNS`: `parameters`, `bits`, `nats`,
        `bayes`, `fit_s`; and `copies`, where another run has found it.

    Returns
    -------
    Row

    Raises
    ------
    ValueError
        If a draw has another shape or holds a value that is not finite, or
        there is no column of a known score.
    """
    names = [c.name for c in COLUMNS if c.name not in ("model", "lesson")]
    measured = [column.name for column in COLUMNS if column.each]
    if unknown := set(known) - set(names).difference(measured, ["sample_s"]):
        raise ValueError(f"no score to be told is named {sorted(unknown)}")
    found: dict[str, list] = {name: [] for name in measured}
    scores: dict[str, Any] = dict.fromkeys(names) | known
    seconds, draws = 0.0, []
    for turn, seed in enumerate(SEEDS):
        start = time.perf_counter()
        x = draw(LABELS.copy(), np.random.default_rng(seed))
        seconds += time.perf_counter() - start
        drawn = Drawn(
            _pictures("draw", x), LABELS, conditional, reference, turn
        )
        for column in COLUMNS:
            if column.each:
                found[column.name].append(column.each(drawn))
        draws.append(drawn.x)
    scores |= {name: _spread(values) for name, values in found.items()}
    scores["sample_s"] = seconds * 1000 / (len(SEEDS) * len(LABELS))
    if half:
        x = half(LABELS.copy(), np.random.default_rng(SEEDS[0]))
        drawn = Drawn(_pictures("half", x), LABELS, conditional, reference)
        for column in COLUMNS:
            if column.half:
                scores[column.name] = column.half(drawn)
    shown = draws[0].reshape(10, N_CLASS, 784)[:, :N_SHOWN]
    return Row(
        model=model,
        lesson=lesson,
        scores=scores,
        bound=bound,
        samples=pack(shown.reshape(-1, 784)),
        machine=machine(),
        judge=JUDGE_SHA256[:16],
    )


def _pictures(name, x):
    """Samples in [0, 1], one for each label."""
    x = finite_array(f"{name}(labels, rng)", x, (len(LABELS), 784))
    return np.clip(x, 0, 1).astype(np.float32)


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
