"""One row of the same numbers for each model of the collection.

A lesson that adds models shows `Scoreboard(rows)` in a cell tagged
`scoreboard`: the stored rows of earlier lessons, then its own. `make refresh`
takes each lesson's own rows from its stored output into rows.json; running a
lesson changes nothing.
"""

import base64
import html
import itertools
import json
import textwrap
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from utils.data import to_images
from utils.plotting import draw_grid
from utils.scores.columns import COLUMNS, ORDER, Column

__all__ = [
    "Row",
    "Scoreboard",
    "explain_columns",
    "pack",
    "pool_trainings",
    "read_scoreboard",
    "read_seeds",
    "unpack",
]

ROWS = Path(__file__).with_name("rows.json")
SEEDS = Path(__file__).with_name("seeds.json")
N_SHOWN = 4  # samples of each digit that a row keeps


@dataclass(frozen=True, kw_only=True)
class Row:
    """Scores of one model.

    Attributes
    ----------
    model : str
    lesson : int
    scores : dict
        By the names of `utils.scores.columns.COLUMNS`: a number, a pair of a
        number and its standard deviation, or None where the model has no
        such number.
    samples : str
        Four samples of each digit, see `pack`.
    machine : str
        Where the seconds were measured.
    judge : str
        Which judge has read the samples: the beginning of its sha256.
    code : str
        Fingerprint of the code that made the row; `make refresh` sets it.
    bound : bool
        Whether bits and nats are upper bounds; else they are exact.

    Raises
    ------
    ValueError
        If a score is none of these, or not finite, or one of draws has no
        deviation.
    """

    model: str
    lesson: int
    scores: dict[str, Any]
    samples: str
    machine: str
    judge: str
    code: str = ""
    bound: bool = False

    def __post_init__(self) -> None:
        measured = {c.name for c in COLUMNS if c.each}
        for name, value in self.scores.items():
            _check_score(name, value, pair=name in measured)

    @classmethod
    def from_json(cls, stored: dict) -> "Row":
        """Row of a dict that JSON has held, with lists for pairs."""
        scores = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored["scores"].items()
        }
        return cls(**stored | {"scores": scores})

    def text(self, column: Column) -> str:
        """What stands in a column: a dash where there is no such number."""
        values = {"model": self.model, "lesson": self.lesson, **self.scores}
        return column.text(values.get(column.name), self.bound)

    def texts(self, *, seconds: bool = False) -> list[str]:
        """Texts of the scores, or of the seconds, in the order of COLUMNS."""
        return [self.text(c) for c in COLUMNS if c.seconds == seconds]


def _check_score(name, value, pair):
    """Check that it is None, a finite number, or a pair of those."""
    alone = not pair and not isinstance(value, tuple)
    values = (value, 0) if alone else value
    fits = isinstance(values, tuple) and len(values) == 2
    if value is None or (fits and all(map(_is_finite, values))):
        return
    what = "a pair of finite numbers" if pair else "finite, or a pair"
    raise ValueError(
        f"scores[{name!r}] must be {what}, or None; got {value!r}"
    )


def _is_finite(value):
    return isinstance(value, int | float | np.number) and np.isfinite(value)


def heads(*, seconds: bool = False) -> list[str]:
    """What stands above the columns of scores, or of seconds."""
    return [column.head for column in COLUMNS if column.seconds == seconds]


def pool_trainings(row: Row) -> Row:
    """Row of a network, with what its other trainings have found.

    `make refresh` trains it with other seeds, and on half of the digits, and
    stores their rows under "name, seed 1" and "name, half".

    Parameters
    ----------
    row : Row
        Of the training in the lesson.

    Returns
    -------
    Row
        Each score of draws is the mean over the trainings, and its deviation
        holds the spread within a training and that between them. The score
        of copies is that of the network trained on half.
    """
    rows, scores = [row], dict(row.scores)
    for other in read_seeds(row.lesson):
        if other.model.startswith(f"{row.model}, seed "):
            rows.append(other)
        if other.model == f"{row.model}, half":
            scores["copies"] = other.scores["copies"]
    for column in COLUMNS:
        if column.each and scores[column.name] is not None:
            pairs = np.array([r.scores[column.name] for r in rows])
            between = pairs[:, 0].var(ddof=1) if len(rows) > 1 else 0
            std = np.sqrt(np.square(pairs[:, 1]).mean() + between)
            scores[column.name] = float(pairs[:, 0].mean()), float(std)
    return replace(row, scores=scores)


def explain_columns() -> str:
    """What each column says, as a Markdown table."""
    rows = ["| column | what it says | good |", "|---|---|---|"]
    rows += [
        f"| {column.head} | {column.meaning} | {column.good} |"
        for column in COLUMNS
        if column.meaning
    ]
    return "\n".join(rows)


def pack(x: np.ndarray) -> str:
    """Pictures, shape (n, 784) in [0, 1], as a text for JSON."""
    return base64.b64encode(zlib.compress(to_images(x).tobytes())).decode()


def unpack(samples: str) -> np.ndarray:
    """Undo `pack`, but for the rounding to 256 grey levels."""
    raw = zlib.decompress(base64.b64decode(samples))
    return np.frombuffer(raw, np.uint8).reshape(-1, 784) / 255


@dataclass(frozen=True)
class Scoreboard:
    """A table of rows, from the worst shapes to the best.

    A notebook shows it as a table; `print` gives the same as text.

    Attributes
    ----------
    rows : list of Row

    Raises
    ------
    ValueError
        If one of them is no Row.
    """

    rows: list[Row]

    def __post_init__(self):
        kinds = {type(row).__name__ for row in self.rows}
        if kinds - {"Row"}:
            raise ValueError(
                "rows must hold a Row each, as read_scoreboard gives, got "
                f"{', '.join(sorted(kinds))}"
            )
        # a row without this score stands first
        first = np.inf, 0.0
        rows = sorted(
            self.rows, key=lambda row: -(row.scores.get(ORDER) or first)[0]
        )
        object.__setattr__(self, "rows", rows)

    @property
    def lines(self) -> list[list[str]]:
        """Texts of the head and of each row, but for empty columns."""
        lines = [heads(), *[row.texts() for row in self.rows]]
        keep = [
            set(column[1:]) != {"–"} for column in zip(*lines, strict=True)
        ]
        return [list(itertools.compress(line, keep)) for line in lines]

    def __str__(self):
        return _table(self.lines)

    @property
    def seconds(self) -> str:
        """The seconds, which differ between machines, as a text."""
        lines = [["model", *heads(seconds=True), "measured on"]]
        for row in self.rows:
            lines.append([row.model, *row.texts(seconds=True), row.machine])
        return _table(lines)

    def markdown(self, *, brief: bool = False) -> str:
        """The rows as a Markdown table.

        Parameters
        ----------
        brief : bool
            Only the columns that a newcomer can use; else all of them, and a
            line that says where the seconds were measured.

        Returns
        -------
        str
        """
        columns = [c for c in COLUMNS if c.brief or not brief]
        lines = [[c.head for c in columns], ["---"] * len(columns)]
        for row in self.rows:
            lines.append([row.text(column) for column in columns])
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        if brief:
            return table
        machines = ", ".join(sorted({row.machine for row in self.rows}))
        return f"{table}\n\nSeconds by the clock, measured on: {machines}."

    def draw(self, width: float = 9.0) -> None:
        """Draw a column of ten samples for each row, on a new figure."""
        first = [unpack(row.samples)[::N_SHOWN] for row in self.rows]
        samples = np.stack(first, axis=1)
        names = [textwrap.fill(row.model, 11) for row in self.rows]
        height = width * 10 / len(names) + 0.6
        _, ax = plt.subplots(figsize=(width, height))
        samples = samples.reshape(-1, 784)
        draw_grid(samples, len(names), ax=ax, column_labels=names)
        ax.tick_params(axis="x", labelsize=8)

    def _repr_mimebundle_(self, include=None, exclude=None):
        """The table for a notebook; its metadata hold the newest rows,
        which are those of the lesson that shows it.
        """
        table = ""
        for i, line in enumerate(self.lines):
            tag = "td" if i else "th"
            cells = [f"<{tag}>{html.escape(text)}</{tag}>" for text in line]
            table += f"<tr>{''.join(cells)}</tr>\n"
        style = "font-size: small; white-space: nowrap"
        data = {
            "text/plain": str(self),
            "text/html": f'<table style="{style}">\n{table}</table>',
        }
        newest = max((row.lesson for row in self.rows), default=0)
        own = [asdict(row) for row in self.rows if row.lesson == newest]
        return data, {"rows": own}


def _table(lines):
    """Lines of texts in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines
    )


def read_scoreboard(before: int | None = None) -> list[Row]:
    """Read the stored rows, of all lessons or of those before one.

    Parameters
    ----------
    before : int, optional
        Number of a lesson. Later rows are not looked at, so that they may
        lack what a new score needs.

    Returns
    -------
    list of Row

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    wanted = range(before) if before is not None else None
    return _read_rows(ROWS, wanted)


def read_seeds(lesson: int) -> list[Row]:
    """Read the rows of a lesson's network, trained with other seeds.

    Parameters
    ----------
    lesson : int

    Returns
    -------
    list of Row
        One a seed; `make refresh` trains and scores them.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    return _read_rows(SEEDS, [lesson])


def _read_rows(path, lessons):
    """Rows of a file, of some lessons or of all for None."""
    try:
        stored = json.loads(path.read_text("utf-8"))
        if not isinstance(stored, list):
            raise TypeError(f"expected a list, got {type(stored).__name__}")
        return [
            Row.from_json(row)
            for row in stored
            if lessons is None or row["lesson"] in lessons
        ]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error!r}") from error
