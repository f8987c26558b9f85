"""Data of the two pages to play with, site/play/which.md and draw.md.

    python -m tools.play            fit their models anew if the code changed
    python -m tools.play --force    in any case

`make refresh` runs it. The models are stored in site/play/models.npz; all
else is made when the site is built, by `write_data`, as scripts that hold
data, since a page opened from a file may not fetch any.
"""

import base64
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tools import play_models
from tools.eye import match_tone, real_digits
from tools.notebooks import ROOT, write_text
from utils.data import load_mnist, to_images
from utils.scores.board import read_scoreboard, unpack

MODELS = ROOT / "site" / "play" / "models.npz"
NO_MODELS = "real digits", "memoriser"  # their digits are people's
REAL = 20  # test digits of each class on the first page
NEIGHBOURS = 400  # training digits of each class on the second
SAMPLES = 6  # test digits of each class to choose from, there


def pack(**arrays: np.ndarray) -> dict:
    """Arrays for JavaScript: all their bytes, deflated, as one text.

    Parameters
    ----------
    **arrays : ndarrays of uint8, int16 or float32

    Returns
    -------
    dict
        `arrays`, a list of name, type and shape of each, and `bytes`.

    Raises
    ------
    ValueError
        If a type is another one.
    """
    order = "float32", "int16", "uint8"  # so that each is aligned
    for name, x in arrays.items():
        if x.dtype.name not in order:
            raise ValueError(
                f"{name} must be {', '.join(order)}, got {x.dtype}"
            )
    names = sorted(arrays, key=lambda name: order.index(arrays[name].dtype))
    raw = b"".join(
        arrays[n].astype(arrays[n].dtype.newbyteorder("<")).tobytes()
        for n in names
    )
    return {
        "arrays": [
            {"name": n, "type": arrays[n].dtype.name, "shape": arrays[n].shape}
            for n in names
        ],
        "bytes": base64.b64encode(zlib.compress(raw, 9)).decode(),
    }


def first_of_each(y: np.ndarray, n: int) -> np.ndarray:
    """Indices of the first n rows of each class, zeros first."""
    return np.concatenate([np.flatnonzero(y == c)[:n] for c in range(10)])


def which_data() -> dict:
    """Pictures of the page "Which one did a person write?".

    Returns
    -------
    dict
        As `pack` gives it: real (200, 784), drawn and matched (n, 40, 784),
        all in the order of the digits; and `models`: name, lesson, whether it
        `can` be asked for a digit, and whether it draws digits at all.
    """
    rows = [row for row in read_scoreboard() if row.model not in NO_MODELS]
    _, (x, y) = load_mnist()
    x = x.reshape(-1, 784)
    tone = real_digits(np.random.default_rng(0))
    drawn = [unpack(row.samples) for row in rows]
    matched = [to_images(match_tone(d, tone)) for d in drawn]
    models = [
        {
            "name": row.model,
            "lesson": row.lesson,
            "asked": row.scores["consistency"] is not None,
            "digits": row.scores["precision"][0] >= 0.005,
        }
        for row in rows
    ]
    arrays = pack(
        real=x[first_of_each(y, REAL)],
        drawn=np.stack([to_images(d) for d in drawn]).reshape(-1, 40, 784),
        matched=np.stack(matched).reshape(-1, 40, 784),
    )
    return {"models": models} | arrays


def draw_data(models: Path = MODELS) -> dict:
    """Numbers of the page "Draw a digit": models, and digits to compare with.

    Returns
    -------
    dict
        As `pack` gives it.
    """
    (x, y), (x_test, y_test) = load_mnist()
    near = first_of_each(y, NEIGHBOURS)
    some = first_of_each(y_test, SAMPLES)
    return pack(
        neighbours=x[near].reshape(-1, 784),
        samples=x_test[some].reshape(-1, 784),
        **play_models.load(models),
    )


def write_data(folder: Path) -> list[Path]:
    """Write which_data.js and draw_data.js.

    Parameters
    ----------
    folder : Path
        Where the scripts of the pages are, ``_static/play`` of a site.

    Returns
    -------
    list of Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, data in [("which", which_data()), ("draw", draw_data())]:
        paths.append(folder / f"{name}_data.js")
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        write_text(paths[-1], f"const {name.upper()}_DATA = {text};\n")
    return paths


def stale_models(path: Path = MODELS) -> Iterator[str]:
    """Say so if the stored models are of another code."""
    if play_models.stored_code(path) != play_models.code():
        yield f"{path.name}: fitted by another code; python -m tools.play"


def main(arguments: list[str], path: Path = MODELS) -> None:
    """Fit what is of another code."""
    if "--force" in arguments or list(stale_models(path)):
        print(play_models.store(path))


if __name__ == "__main__":
    main(sys.argv[1:])
