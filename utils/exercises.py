"""Checks for the exercises: a wrong answer gets a sentence, not a traceback.

Taught by no lesson. An exercise calls `check` below the cell to fill in.
"""

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
    answer: Callable[[], Any],
    wanted: npt.ArrayLike,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    hints: dict | None = None,
) -> None:
    """Compare an answer with the right one, and say what is wrong with it.

    Parameters
    ----------
    name : str
        What the sentence calls the answer.
    answer : callable
        ``answer()`` gives it, often as ``lambda: cov_of(rows)``: what goes
        wrong inside is then told as the learner's own.
    wanted : array_like of numbers or bools, or str
        The right answer.
    rtol, atol : float
        How near is right, as in `numpy.allclose`.
    hints : dict from str to array_like, optional
        Wrong answers that are common, each under the sentence that points at
        the slip without giving the answer.

    Raises
    ------
    Hint
        If the answer is not right; the message says what arrived.
    """
    value = _call(name, answer)
    if isinstance(wanted, str):
        got = str(value).strip().strip("\"'").lower()
        wrong = {str(v).lower(): text for text, v in (hints or {}).items()}
        if got != wanted.lower():
            raise Hint(f"{name} is not {value!r}. {wrong.get(got, '')}")
    else:
        numbers, right = _numbers(name, value), np.asarray(wanted, float)
        for text, wrong in (hints or {}).items():
            if _near(numbers, np.asarray(wrong, float), rtol, atol):
                raise Hint(f"{name}: {text}")
        _compare(name, numbers, right, rtol, atol)
    print(f"{name}: right.")


def _call(name: str, answer: Callable[[], Any]) -> Any:
    """The learner's answer; what it raises becomes a Hint."""
    try:
        with warnings.catch_warnings():  # a hint says it better
            warnings.simplefilter("ignore", RuntimeWarning)
            value = answer()
    except NotImplementedError:
        raise Hint(
            f"{name}: there is no code in the cell above yet."
        ) from None
    except NameError as error:
        raise Hint(
            f"{name}: {error}. Run the cells above first, from the top."
        ) from None
    except (Exception, SystemExit) as error:
        raise Hint(
            f"{name} stops with {type(error).__name__}: {error}{_where(error)}"
        ) from None
    if value is None or value is Ellipsis:
        raise Hint(f"{name} is {value}. Is it still to be set, or returned?")
    return value


def _where(error: BaseException) -> str:
    """The learner's own line that led to an error."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent != Path(__file__).parent
        and "site-packages" not in frame.filename
    ]
    if not own or not own[-1].line:
        return ""
    return f" (line {own[-1].lineno}: {own[-1].line})"


def _numbers(name: str, value: Any) -> np.ndarray:
    """The answer as an array of floats."""
    kind = type(value).__name__
    if isinstance(value, tuple):
        kind += f" of {len(value)}. Does your code return too much?"
    try:
        got = np.asarray(value)
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


def _compare(
    name: str, got: np.ndarray, wanted: np.ndarray, rtol: float, atol: float
) -> None:
    """Raise a Hint about shape, NaN or the first number that is off."""
    if _near(got, wanted, rtol, atol):
        return
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
    if off.size == 1:
        raise Hint(f"{name} is not {got.item():.6g}.")
    first = tuple(int(i) for i in np.argwhere(off)[0])
    raise Hint(
        f"{name} is wrong in {off.sum()} of {off.size} numbers, "
        f"first at {list(first)}: {got[first]:.6g}."
    )
