"""The columns of the scoreboard: the one place that knows a score.

A new score is one entry of COLUMNS. The protocol computes it, the table, the
README's explanation and the tests follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from utils.checks import check_count, check_labels, check_rows
from utils.scores.metrics import (
    Neighbours,
    class_consistency,
    copied_share,
    frechet_distance,
    neighbour_scores,
    tone_difference,
)
from utils.scores.shapes import Shapes, read_shapes

__all__ = ["COLUMNS", "ORDER", "Column", "Drawn", "Reference"]

K = 5  # neighbours
N_COPIES = 100  # samples a digit whose nearest training digits are sought


class Reference(NamedTuple):
    """What samples are held against.

    Attributes
    ----------
    z : tuple of 3 float32 ndarrays of shape (2500, 128)
        Shapes of three disjoint sets of test digits, 250 a class; see
        `utils.scores.shapes.Shapes`.
    x : tuple of 3 float32 ndarrays of shape (2500, 784)
        Their pixels.
    unit : float
        Mean Fréchet distance of held-out training digits from the three.
    x_train : uint8 ndarray of shape (n, 28, 28)
    half : bool ndarray of shape (n,)
        Half of the training digits, for a second fit: see `copies`.
    held_out : int ndarray
        Indices of the training digits that the judge has not seen.
    """

    z: tuple[np.ndarray, ...]
    x: tuple[np.ndarray, ...]
    unit: float
    x_train: np.ndarray
    half: np.ndarray
    held_out: np.ndarray


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
    turn : int
        Which of the reference's sets it is held against.

    Raises
    ------
    ValueError
        If a shape or a label does not fit, the reference is none, or it has
        no such set.
    """

    x: np.ndarray
    labels: np.ndarray
    conditional: bool
    reference: Reference
    turn: int = 0

    def __post_init__(self) -> None:
        check_labels(
            "labels", self.labels, len(check_rows("x", self.x, 784)), 10
        )
        if not isinstance(self.reference, Reference):
            raise ValueError(
                "reference must be what make_reference gives, got "
                f"{type(self.reference).__name__}"
            )
        if not 0 < self.reference.unit < np.inf:
            raise ValueError(
                "reference.unit must be a finite number > 0, got "
                f"{self.reference.unit!r}; find it with make_reference"
            )
        n_sets = len(self.reference.z)
        if check_count("turn", self.turn) >= n_sets:
            raise ValueError(f"turn must be below {n_sets}, got {self.turn}")

    @cached_property
    def shapes(self) -> Shapes:
        """What the judge says of the samples, cut."""
        return read_shapes(self.x)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Scores by nearest neighbours, along the axes of shapes."""
        return neighbour_scores(self.reference.z[self.turn], self.shapes.z, K)


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
        such number. The row holds mean and standard deviation over three
        draws, each held against another set of the reference.
    half : callable, optional
        ``half(drawn)`` is the score, and its error, of one draw of the model
        fitted to half of the training digits.
    brief : bool
        Whether the README's short table has it.
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
    half: Callable[[Drawn], tuple[float, float]] | None = None
    brief: bool = False
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


def _frechet(drawn):
    real = drawn.reference.z[drawn.turn]
    return frechet_distance(real, drawn.shapes.z) / drawn.reference.unit


def _tone(drawn):
    return tone_difference(drawn.x, drawn.reference.x[drawn.turn])


def _consistency(drawn):
    if drawn.conditional:
        return class_consistency(drawn.shapes.probs, drawn.labels)
    return None


def _copies(drawn):
    """Of 100 samples a digit: all of them would take too long."""
    first = [np.flatnonzero(drawn.labels == c)[:N_COPIES] for c in range(10)]
    images, half = drawn.reference.x_train, drawn.reference.half
    some = drawn.x[np.concatenate(first)]
    return copied_share(some, images[half], images[~half])


def _short(seconds):
    """Format of two digits, or of all that stand before the point."""
    return ".2g" if seconds < 10 else ".0f"


ORDER = "shapes"  # the column that sorts the board, from the largest down
COLUMNS = [
    Column(name="model", head="model", form="s", brief=True),
    Column(name="lesson", head="lesson", form="d", brief=True),
    Column(
        name="shapes",
        head="shapes",
        form=lambda value: ".2f" if value < 10 else ".1f",
        each=_frechet,
        brief=True,
        meaning="Fréchet distance from real digits, all cut to pure ink and "
        "paper, in the eyes of a [judge](../utils/scores/judge.py); 1 is how "
        "far real digits are from others",
        good="1",
    ),
    Column(
        name="precision",
        head="precision",
        form=".2f",
        each=lambda drawn: drawn.neighbours.precision,
        brief=True,
        meaning="share of samples, cut, that lie among real digits",
        good="the real digits'",
    ),
    Column(
        name="recall",
        head="recall",
        form=".2f",
        each=lambda drawn: drawn.neighbours.recall,
        brief=True,
        meaning="share of real digits, cut, that lie among samples; read it "
        "only where precision is high",
        good="the real digits'",
    ),
    Column(
        name="tone",
        head="tone",
        form=".1f",
        each=_tone,
        meaning="mean difference of the sorted grey levels, in % of full "
        "ink: grain, blur and contrast, and not where they are",
        good="0",
    ),
    Column(
        name="copies",
        head="copies",
        form=".2f",
        half=_copies,
        brief=True,
        meaning="share of samples nearer to the digits that the model was "
        "fitted to than to as many others, when it is fitted to half of them",
        good="0.5",
    ),
    Column(
        name="consistency",
        head="class",
        form=".3f",
        each=_consistency,
        brief=True,
        meaning="share of samples, cut, that the judge reads as the digit "
        "asked for",
        good="the real digits'",
    ),
    Column(
        name="bayes",
        head="Bayes",
        form=".3f",
        meaning="accuracy as a classifier, on test digits",
        good="1",
    ),
    Column(
        name="bits",
        head="bits/dim",
        form=".2f",
        bounds=True,
        brief=True,
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
        name="parameters",
        head="parameters",
        form=",d",
        brief=True,
        meaning="how many numbers were fitted",
        good="low",
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
