"""One row of the same numbers for each model of the collection.

A lesson that adds models shows `Scoreboard(rows)` in a cell tagged
`scoreboard`: the stored rows of earlier lessons, then its own. `make refresh`
takes each lesson's own rows from its stored output into scoreboard.json;
running a lesson changes nothing.
"""

import base64
import html
import itertools
import json
import textwrap
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from utils.data import to_images
from utils.plotting import draw_grid

__all__ = ["Row", "Scoreboard", "pack", "read_scoreboard", "unpack"]

STORE = Path(__file__).with_name("scoreboard.json")
SCORES = [
    "model",
    "lesson",
    "parameters",
    "bits/dim",
    "nats",
    "Fréchet",
    "precision",
    "recall",
    "class",
    "Bayes",
    "nearest",
]
SECONDS = ["fit, s", "1,000 samples, s"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """Scores of one model. A pair is a value and its standard deviation.

    Attributes
    ----------
    model : str
    lesson : int
    frechet, precision, recall : (float, float)
        Over three seeds of sampling.
    consistency : (float, float) or None
        None for a model that cannot be asked for a digit.
    nearest : (float, float)
        Median distance to the nearest training digit, divided by that of
        test digits; over bootstrap samples.
    samples : str
        Ten samples, see `pack`.
    sample_s : float
        Seconds of drawing 1,000 samples, by the clock.
    machine : str
        Where the seconds were measured.
    parameters : int, optional
        How many numbers were fitted.
    fit_s : float, optional
        Seconds of fitting, by the clock.
    bits : float, optional
        Bits per dimension of the dequantised test digits, or of their levels
        for a discrete model.
    nats : float, optional
        Mean of -log p over the binarised test digits.
    bound : bool
        Whether `bits` and `nats` are upper bounds; else they are exact.
    bayes : float, optional
        Accuracy on the test digits by Bayes' rule.
    """

    model: str
    lesson: int
    frechet: tuple
    precision: tuple
    recall: tuple
    consistency: tuple | None
    nearest: tuple
    samples: str
    sample_s: float
    machine: str
    parameters: int | None = None
    fit_s: float | None = None
    bits: float | None = None
    nats: float | None = None
    bound: bool = False
    bayes: float | None = None

    @property
    def scores(self):
        """Texts of the columns that should be the same on each machine."""
        bound = "≤ " if self.bound else ""
        return [
            self.model,
            str(self.lesson),
            _text(self.parameters, ","),
            _text(self.bits, ".2f", bound),
            _text(self.nats, ".1f", bound),
            _spread(self.frechet, 2 if self.frechet[0] >= 0.1 else 3),
            _spread(self.precision, 2),
            _spread(self.recall, 2),
            _spread(self.consistency, 3),
            _text(self.bayes, ".3f"),
            _spread(self.nearest, 2),
        ]

    @property
    def seconds(self):
        """Texts of the seconds to fit, and to draw 1,000 samples."""
        return [_seconds(self.fit_s), _seconds(self.sample_s)]


def _text(value, form, before=""):
    """A number, or a dash for None."""
    return "–" if value is None else f"{before}{value:{form}}"


def _seconds(value):
    """Seconds with two digits, or all that stand before the point."""
    if value is not None and value < 0.01:
        return "< 0.01"
    return _text(value, ".2g" if value is None or value < 10 else ".0f")


def _spread(pair, digits):
    """A value and its deviation, or a dash for None."""
    if pair is None:
        return "–"
    return " ± ".join(f"{value:.{digits}f}" for value in pair)


def pack(x):
    """Ten pictures, shape (10, 784) in [0, 1], as a text for JSON."""
    return base64.b64encode(zlib.compress(to_images(x).tobytes())).decode()


def unpack(samples):
    """Undo `pack`, but for the rounding to 256 grey levels."""
    raw = zlib.decompress(base64.b64decode(samples))
    return np.frombuffer(raw, np.uint8).reshape(10, 784) / 255


@dataclass(frozen=True)
class Scoreboard:
    """A table of rows, from the worst Fréchet distance to the best.

    A notebook shows it as a table; `print` gives the same as text.

    Attributes
    ----------
    rows : list of Row
    """

    rows: list

    def __post_init__(self):
        rows = sorted(self.rows, key=lambda row: -row.frechet[0])
        object.__setattr__(self, "rows", rows)

    @property
    def lines(self):
        """Texts of the head and of each row, but for empty columns."""
        lines = [SCORES, *[row.scores for row in self.rows]]
        keep = [
            set(column[1:]) != {"–"} for column in zip(*lines, strict=True)
        ]
        return [list(itertools.compress(line, keep)) for line in lines]

    def __str__(self):
        return _table(self.lines)

    @property
    def seconds(self):
        """The seconds, which differ between machines, as a text."""
        lines = [[row.model, *row.seconds, row.machine] for row in self.rows]
        return _table([["model", *SECONDS, "measured on"], *lines])

    @property
    def markdown(self):
        """Scores and seconds as one Markdown table."""
        lines = [SCORES + SECONDS, ["---"] * len(SCORES + SECONDS)]
        lines += [row.scores + row.seconds for row in self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        machines = ", ".join(sorted({row.machine for row in self.rows}))
        return f"{table}\n\nSeconds by the clock, measured on: {machines}."

    def draw(self, width=9.0):
        """Draw a column of ten samples for each row, on a new figure."""
        samples = np.stack([unpack(row.samples) for row in self.rows], axis=1)
        names = [textwrap.fill(row.model, 11) for row in self.rows]
        height = width * 10 / len(names) + 0.6
        _, ax = plt.subplots(figsize=(width, height))
        samples = samples.reshape(-1, 784)
        draw_grid(samples, len(names), ax=ax, column_labels=names)
        ax.tick_params(axis="x", labelsize=8)

    def _repr_mimebundle_(self, include=None, exclude=None):
        """The table for a notebook; its metadata hold the rows."""
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
        return data, {"rows": [asdict(row) for row in self.rows]}


def _table(lines):
    """Lines of texts in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines
    )


def as_row(stored):
    """Row of a dict that JSON has held, with lists for pairs."""
    pairs = {k: tuple(v) for k, v in stored.items() if isinstance(v, list)}
    return Row(**stored | pairs)


def read_scoreboard(before=None):
    """Read the stored rows, of all lessons or of those before one.

    Parameters
    ----------
    before : int, optional
        Number of a lesson.

    Returns
    -------
    list of Row

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    try:
        stored = json.loads(STORE.read_text("utf-8"))
        if not isinstance(stored, list):
            raise TypeError(f"expected a list, got {type(stored).__name__}")
        rows = [as_row(row) for row in stored]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{STORE} is damaged: {error}") from error
    return [row for row in rows if before is None or row.lesson < before]
