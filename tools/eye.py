"""Sheets on which anybody can count broken digits, without knowing whose.

    python -m tools.eye "mixtures of low rank" GAN
    python -m tools.eye --broken 3 17 22

The first writes build/eye/sheet_1.png and so on: the 40 digits that the
scoreboard keeps of each model, and 40 of the test set, all with the grey
levels of the latter, shuffled and numbered. build/eye/key.json says whose
they are: look at it last. The second tells how many of each were called
broken, with the standard error of that number.
"""

import argparse
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import uniform_filter

from tools.notebooks import ROOT
from utils.data import load_mnist, preprocess, to_images
from utils.scores.board import N_SHOWN, read_scoreboard, unpack

OUT = ROOT / "build" / "eye"
REAL = "real digits"
TILE, GAP, NUMBER = 56, 8, 14  # sides in pixels, and what a number needs
ACROSS, DOWN = 12, 10  # tiles of a sheet


def real_digits(rng: np.random.Generator) -> np.ndarray:
    """Four test digits of each class, as rows in [0, 1]."""
    _, (x, y) = load_mnist()
    rows = [
        rng.choice(np.flatnonzero(y == c), N_SHOWN, replace=False)
        for c in range(10)
    ]
    return preprocess(x[np.concatenate(rows)])


def match_tone(x: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Hand out the grey levels of real digits by rank.

    Parameters
    ----------
    x, real : ndarrays of shape (n, 784)

    Returns
    -------
    ndarray of shape (n, 784)
        The darkest pixel of x gets the darkest level, and so on; of equal
        pixels the one with more ink around it.
    """
    around = uniform_filter(x.reshape(-1, 28, 28), (0, 3, 3))
    order = np.lexsort((around.ravel(), x.ravel()))
    matched = np.empty(x.size)
    matched[order] = np.sort(real, axis=None)
    return matched.reshape(x.shape)


def draw_sheet(images: np.ndarray, first: int) -> Image.Image:
    """Draw images with a number under each, counted from the first."""
    wide, high = TILE + GAP, TILE + NUMBER + GAP
    page = Image.new("L", (ACROSS * wide + GAP, DOWN * high + GAP), 200)
    pen = ImageDraw.Draw(page)
    for i, image in enumerate(images):
        left, top = GAP + i % ACROSS * wide, GAP + i // ACROSS * high
        tile = Image.fromarray(255 - image).resize((TILE, TILE))
        page.paste(tile, (left, top))
        place = left + TILE / 2, top + TILE + NUMBER / 2
        pen.text(place, str(first + i), fill=0, anchor="mm")
    return page


def make_sheets(models: list[str], out: Path, seed: int) -> list[Path]:
    """Write the sheets and the key.

    Parameters
    ----------
    models : list of str
        Names on the scoreboard.
    out : Path
        Its older sheets are deleted.
    seed : int
        Of which real digits, and in what order.

    Returns
    -------
    list of Path
        The sheets.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    rng = np.random.default_rng(seed)
    rows = {row.model: row for row in read_scoreboard()}
    if unknown := set(models) - rows.keys():
        known = ", ".join(rows)
        raise ValueError(
            f"no row is named {sorted(unknown)}; there are {known}"
        )
    real = real_digits(rng)
    sets = {REAL: real} | {m: unpack(rows[m].samples) for m in models}
    for model, x in sets.items():
        if x.shape != real.shape:
            raise ValueError(f"the row of {model} keeps {len(x)} pictures")
    images = to_images(
        np.concatenate([match_tone(x, real) for x in sets.values()])
    )
    whose = np.repeat(list(sets), len(real))
    order = rng.permutation(len(images))
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("sheet_*.png"):
        old.unlink()
    paths: list[Path] = []
    for start in range(0, len(order), ACROSS * DOWN):
        some = images[order[start : start + ACROSS * DOWN]]
        paths.append(out / f"sheet_{len(paths) + 1}.png")
        draw_sheet(some, start + 1).save(paths[-1])
    key = json.dumps(whose[order].tolist(), indent=0, ensure_ascii=False)
    (out / "key.json").write_text(key + "\n", "utf-8")
    return paths


def count_broken(numbers: list[int], out: Path) -> str:
    """Say how many of each model were called broken.

    Parameters
    ----------
    numbers : list of int
        What stands under the broken ones; twice counts once.
    out : Path
        Where the key is.

    Returns
    -------
    str
        A line a model, from the fewest to the most, with the standard error
        sqrt(n p (1 - p)).

    Raises
    ------
    ValueError
        If a number stands on no sheet.
    """
    key = json.loads((out / "key.json").read_text("utf-8"))
    if wrong := [n for n in numbers if not 1 <= n <= len(key)]:
        raise ValueError(f"numbers go from 1 to {len(key)}, got {wrong}")
    broken = Counter(key[n - 1] for n in set(numbers))
    lines = []
    for model, n in sorted(Counter(key).items(), key=lambda m: broken[m[0]]):
        error = math.sqrt(broken[model] * (1 - broken[model] / n))
        lines.append(f"{broken[model]:3} of {n} ± {error:.1f}  {model}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None, out: Path = OUT) -> None:
    """Make the sheets, or count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="names on the scoreboard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--broken", type=int, nargs="*", help="numbers of broken digits"
    )
    chosen = parser.parse_args(arguments)
    try:
        if chosen.broken is None:
            sheets = make_sheets(chosen.models, out, chosen.seed)
            print(*sheets, sep="\n")
        else:
            print(count_broken(chosen.broken, out))
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
