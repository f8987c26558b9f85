"""The columns of the scoreboard: the one place that knows a score.

A new score is one entry of COLUMNS. The protocol computes it, the table, the
README's explanation and the tests follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from utils.data import preprocess
from utils.scores.judge import Reading, read_digits
from utils.scores.metrics import (
    Neighbours,
    class_consistency,
    frechet_distance,
    nearest_distance,
    neighbour_scores,
)

__all__ = ["COLUMNS", "ORDER", "Column", "Drawn", "Reference"]

K = 5  # neighbours
N_NEAREST = 100  # samples a digit, for the nearest training digit
BLOCK = 6000  # training digits that are held as floats at a time
N_RESAMPLES = 200  # of the bootstrap


class Reference(NamedTuple):
    """What samples are held against: fixed test digits, 250 a class.

    Attributes
    ----------
    features, maps : float32 ndarrays
        What the judge says of the 2,500 test digits, see
        `utils.scores.judge.Reading`.
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


@dataclass(frozen=True, eq=False)
class Drawn:
    """One draw of a model, and what it is held against.

    Attributes
    ----------
    x : float32 ndarray of shape (n, 784)
        Samples, in [0, 1].
    labels : int ndarray of shape (n,)
        The digits asked for.
    conditional : bool
        Whether the model can be asked for a digit.
    reference : Reference
    """

    x: np.ndarray
    labels: np.ndarray
    conditional: bool
    reference: Reference

    @cached_property
    def reading(self) -> Reading:
        """What the judge says of the samples."""
        return read_digits(self.x)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Scores by nearest neighbours, on the judge's maps."""
        return neighbour_scores(self.reference.maps, self.reading.maps, K)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the scoreboard.

    Attributes
    ----------
    name : str
        Under which a `Row` holds the value in its scores.
    head : str
        What stands above the column.
    form : str or callable
        Format of the number, or what gives it for a number.
    meaning, good : str
        What the number says, and which value is good: for the README.
    each : callable, optional
        ``each(drawn)`` is the score of one draw, None where the model has no
        such number. The row holds mean and standard deviation over the
        seeds.
    once : callable, optional
        ``once(drawn)`` is the score of the first draw, and its error.
    bounds : bool
        Whether the number of a row with ``bound`` is an upper bound.
    seconds : bool
        Whether it is a time, and so differs between machines.
    """

    name: str
    head: str
    form: str | Callable[[float], str]
    meaning: str = ""
    good: str = ""
    each: Callable[[Drawn], float | None] | None = None
    once: Callable[[Drawn], tuple[float, float]] | None = None
    bounds: bool = False
    seconds: bool = False

    def text(self, value, bound: bool = False) -> str:
        """Text of a value, a pair of a value and its deviation, or None.

        Parameters
        ----------
        value : int, float, str, tuple or None
        bound : bool
            Whether the value is an upper bound, if it is of that kind.

        Returns
        -------
        str
            A dash for None.
        """
        if value is None:
            return "–"
        values = value if isinstance(value, tuple) else (value,)
        if self.seconds and values[0] < 0.01:
            return "< 0.01"
        form = self.form
        if not isinstance(form, str):
            form = form(values[0])
        before = "≤ " if self.bounds and bound else ""
        return before + " ± ".join(format(number, form) for number in values)


def nearest_of_some(x, labels, x_train):
    """Distances of 100 pictures a digit to the nearest training digit."""
    first = [np.flatnonzero(labels == c)[:N_NEAREST] for c in range(10)]
    some = x[np.concatenate(first)]
    parts = np.array_split(x_train, -(-len(x_train) // BLOCK))
    near = [nearest_distance(some, preprocess(part)) for part in parts]
    return np.min(near, axis=0)


def nearest_ratio(drawn: Drawn) -> tuple[float, float]:
    """Median distance over that of test digits, and its bootstrap error."""
    reference = drawn.reference
    distance = nearest_of_some(drawn.x, drawn.labels, reference.x_train)
    ratios = distance / reference.nearest
    rng = np.random.default_rng(0)
    resampled = rng.choice(ratios, (N_RESAMPLES, len(ratios)))
    error = np.median(resampled, axis=1).std(ddof=1)
    return float(np.median(ratios)), float(error)


def _consistency(drawn):
    if drawn.conditional:
        return class_consistency(drawn.reading.probs, drawn.labels)
    return None


def _short(seconds):
    """Format of two digits, or of all that stand before the point."""
    return ".2g" if seconds < 10 else ".0f"


ORDER = "frechet"  # the column that sorts the board, from the largest down
COLUMNS = [
    Column(name="model", head="model", form="s"),
    Column(name="lesson", head="lesson", form="d"),
    Column(
        name="parameters",
        head="parameters",
        form=",d",
        meaning="how many numbers were fitted",
        good="low",
    ),
    Column(
        name="bits",
        head="bits/dim",
        form=".2f",
        bounds=True,
        meaning="bits a pixel that the model spends on test digits "
        '(dequantised, or their 256 levels); "≤" marks a bound',
        good="low",
    ),
    Column(
        name="nats",
        head="nats",
        form=".1f",
        bounds=True,
        meaning="nats that the model spends on a test digit, binarised",
        good="low",
    ),
    Column(
        name="frechet",
        head="Fréchet",
        form=lambda value: ".2f" if value >= 0.1 else ".3f",
        each=lambda drawn: frechet_distance(
            drawn.reference.features, drawn.reading.features
        ),
        meaning="squared distance to real digits in the features of a small "
        "[judge](utils/scores/judge.py)",
        good="0",
    ),
    Column(
        name="precision",
        head="precision",
        form=".2f",
        each=lambda drawn: drawn.neighbours.precision,
        meaning="share of samples among real digits",
        good="near the real digits'",
    ),
    Column(
        name="recall",
        head="recall",
        form=".2f",
        each=lambda drawn: drawn.neighbours.recall,
        meaning="share of real digits among samples",
        good="near the real digits'",
    ),
    Column(
        name="consistency",
        head="class",
        form=".3f",
        each=_consistency,
        meaning="share of samples that the judge reads as the digit asked for",
        good="near the real digits'",
    ),
    Column(
        name="bayes",
        head="Bayes",
        form=".3f",
        meaning="accuracy as a classifier, on test digits",
        good="1",
    ),
    Column(
        name="nearest",
        head="nearest",
        form=".2f",
        once=nearest_ratio,
        meaning="distance to the nearest training digit, over that of test "
        "digits",
        good="near 1; a copier has 0",
    ),
    Column(
        name="fit_s",
        head="fit, s",
        form=_short,
        seconds=True,
        meaning="seconds of fitting, by the clock",
        good="low",
    ),
    Column(
        name="sample_s",
        head="1,000 samples, s",
        form=_short,
        seconds=True,
        meaning="seconds of drawing 1,000 samples, by the clock",
        good="low",
    ),
]
