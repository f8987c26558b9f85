"""Checks for the exercises: a wrong answer gets a sentence, not a traceback.

Taught by no lesson. An exercise calls `check` below the cell to fill in.
"""

import copy
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Hint", "check"]


class Hint(AssertionError):
    """What is wrong with an answer. A notebook shows it in one line."""

    def _render_traceback_(self) -> list[str]:
        return [f"Not yet. {self}"]


def check(
    name: str,
    answer: Callable[..., Any],
    wanted: npt.ArrayLike,
    *,
    given: tuple = (),
    unchanged: bool = False,
    part: tuple[int, int] | None = None,
    rtol: float = 1e-4,
    atol: float | None = None,
    hints: dict | None = None,
) -> None:
    """Compare an answer with the right one, and say what is wrong with it.

    Parameters
    ----------
    name : str
        What the sentence calls the answer.
    answer : callable
        ``answer(*given)`` gives it, as ``lambda *a: cov_of(*a)``: what goes
        wrong inside is then told as the learner's own.
    wanted : array_like of numbers or bools
        The right answer.
    given : tuple
        Arguments of the answer. It gets copies, and may write into them.
    unchanged : bool
        Whether the answer has promised to leave `given` as it is.
    part : (int, int), optional
        Of an answer that returns several values: which one, counted from 0,
        and how many there must be.
    rtol, atol : float
        How near is right, as in `numpy.allclose`. They suit answers that are
        worked in float32; `atol` is 1e-6 of the largest number wanted.
    hints : dict from str to array_like, optional
        Wrong answers that are common, each under the sentence that points at
        the slip without giving the answer.

    Raises
    ------
    Hint
        If the answer is not right; the message says what arrived.
    """
    passed = copy.deepcopy(given)
    value = _call(name, answer, passed)
    if unchanged and not _same(passed, given):
        raise Hint(f"{name} changes what it is given. Work on a copy.")
    if part:
        value = _part(name, value, *part)
    right = np.asarray(wanted, float)
    numbers = _numbers(name, value, right.shape)
    if atol is None:
        finite = np.abs(right[np.isfinite(right)])
        atol = 1e-6 * (finite.max(initial=0) or 1)
    if not _near(numbers, right, rtol, atol):
        for text, wrong in (hints or {}).items():
            if _near(numbers, np.asarray(wrong, float), rtol, atol):
                raise Hint(f"{name}: {text}")
        _explain(name, numbers, right, rtol, atol)
    print(f"{name}: right.")


def _call(name: str, answer: Callable[..., Any], given: tuple) -> Any:
    """The learner's answer; what it raises becomes a Hint."""
    try:
        with warnings.catch_warnings():  # a hint says it better
            warnings.simplefilter("ignore", RuntimeWarning)
            value = answer(*given)
    except NotImplementedError as error:
        raise Hint(f"{name}: {_unfinished(error)}") from None
    except (Exception, SystemExit) as error:
        where = _where(error)
        told = f"{name} stops with {type(error).__name__}: {error}{where}"
        if type(error) is NameError:
            told = f"{name}: {error}. Run the cells above first, from the top."
            if where:
                told = f"{name}: {error}{where}. Is it misspelled?"
        raise Hint(told) from None
    if value is None or value is Ellipsis:
        raise Hint(f"{name} is {value}. Is it still to be set, or returned?")
    return value


def _unfinished(error: NotImplementedError) -> str:
    """Whether a blank is still blank, or only its last line is left."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    code = frame.f_code
    blank = code.co_names == ("NotImplementedError",)
    if blank and code.co_nlocals == code.co_argcount:
        return "there is no code in the cell above yet."
    return "take out the line raise NotImplementedError(), below your code."


def _where(error: BaseException) -> str:
    """The learner's own line that led to an error; '' if it is the check's."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent != Path(__file__).parent
        and "site-packages" not in frame.filename
    ]
    if not own or own[-1].name == "<lambda>" and len(own) == 1:
        return ""
    return f" (line {own[-1].lineno}: {own[-1].line})"


def _same(one: Any, other: Any) -> bool:
    """Whether two arguments, or tuples of them, hold the same."""
    if isinstance(one, tuple | list):
        return all(map(_same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(
            one, other, equal_nan=one.dtype.kind == "f"
        )
    return True


def _part(name: str, value: Any, which: int, n: int) -> Any:
    """One of the n values that an answer returns."""
    try:
        found = str(len(value))
    except TypeError:
        found = type(value).__name__
    if found != str(n) or isinstance(value, str):
        raise Hint(f"{name}: {n} values are asked for, got {found}.")
    if value[which] is None:
        raise Hint(f"{name} is None. Is it still to be set, or returned?")
    return value[which]


def _numbers(name: str, value: Any, wanted: tuple[int, ...]) -> np.ndarray:
    """The answer as an array of floats."""
    kind = type(value).__name__
    if isinstance(value, tuple):
        kind += f" of {len(value)}"
        if (len(value),) != wanted:
            kind += ". Does your code return too much?"
        else:
            shapes = [np.shape(v) for v in value if np.shape(v)]
            kind += f", with shapes {', '.join(map(str, shapes))} in it."
    try:
        got = np.asarray(value)
        if got.dtype.kind == "c":
            kind = "complex ones. Is there a root of something below 0?"
            raise TypeError
        if got.dtype.kind not in "biuf":
            kind += f" of {got.dtype.name}" if got.ndim else ""
            raise TypeError
    except (TypeError, ValueError):
        raise Hint(f"{name} must be made of numbers, got {kind}") from None
    return got.astype(float)


def _near(
    got: np.ndarray, wanted: np.ndarray, rtol: float, atol: float
) -> bool:
    return got.shape == wanted.shape and np.allclose(
        got, wanted, rtol, atol, equal_nan=True
    )


def _explain(
    name: str, got: np.ndarray, wanted: np.ndarray, rtol: float, atol: float
) -> None:
    """Raise a Hint about shape, NaN or the first number that is off."""
    if got.ndim == 2 and _near(got.T, wanted, rtol, atol):
        raise Hint(f"{name}: are rows and columns swapped?")
    if got.shape != wanted.shape:
        raise Hint(f"{name} must have shape {wanted.shape}, got {got.shape}.")
    for word, bad in [("NaN", np.isnan(got)), ("infinite", np.isinf(got))]:
        if (bad & np.isfinite(wanted)).any():
            raise Hint(
                f"{name} is {word} in {bad.sum()} of {bad.size} numbers."
            )
    off = ~np.isclose(got, wanted, rtol, atol, equal_nan=True)
    first = tuple(int(i) for i in np.argwhere(off)[0])
    told = f"{got[first]:.6g}{_how_near(got[first], wanted[first])}"
    if off.size == 1:
        raise Hint(f"{name} is not {told}.")
    raise Hint(
        f"{name} is wrong in {off.sum()} of {off.size} numbers, "
        f"first at {list(first)}: {told}."
    )


def _how_near(got: float, wanted: float) -> str:
    """To how many digits a number is right, if it is nearly right."""
    error = abs(got - wanted) / abs(wanted) if wanted else 1
    if not 0 < error < 0.01:
        return ""
    return f", which is right to {-np.log10(error):.0f} digits only"
