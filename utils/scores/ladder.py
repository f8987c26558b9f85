"""Disturbances of real digits: what should a score notice?

Each function takes pictures (rows of 784 pixels, 0 for paper to 1 for ink),
their labels, a random generator and a strength, and gives as many pictures
for the same labels. No model is involved, so whoever looks at the pictures
knows the right verdict.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from utils.checks import check_labels, check_rng, check_rows

__all__ = ["FROM_TRAINING", "LADDER", "disturb"]

Array = np.ndarray
Rng = np.random.Generator
SIDE = 28
AXES = (1, 2)  # down and across, of pictures of shape (n, 28, 28)
SWELL = 4  # pixels: how smooth a warp is


def _square(x):
    return np.asarray(x, np.float32).reshape(-1, SIDE, SIDE)


def _rows(images):
    return np.clip(images, 0, 1).astype(np.float32).reshape(len(images), -1)


def _resample(images, down, across):
    """Read each picture at moved places; paper beyond its rim."""
    grid = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    moved = [
        ndimage.map_coordinates(a, [grid[0] + d, grid[1] + s], order=3)
        for a, d, s in zip(images, down, across, strict=True)
    ]
    return np.stack(moved)  # cubic: linear interpolation would blur as well


def same(x: Array, y: Array, rng: Rng, strength: float = 0) -> Array:
    """Leave them as they are."""
    return _rows(_square(x))


def shift(x: Array, y: Array, rng: Rng, pixels: int) -> Array:
    """Move each up, down, left or right by some pixels."""
    images, moved = _square(x), np.zeros((len(x), SIDE, SIDE), np.float32)
    ways = rng.integers(4, size=len(x))
    steps = [(pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)]
    for way, step in enumerate(steps):
        some = ways == way
        moved[some] = ndimage.shift(images[some], (0, *step), order=0)
    return _rows(moved)


def rotate(x: Array, y: Array, rng: Rng, degrees: float) -> Array:
    """Turn each by this angle about the middle, half of them either way."""
    turn = np.deg2rad(degrees) * rng.choice([-1, 1], len(x))
    turn = turn[:, None, None]
    down, across = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    new_down = np.cos(turn) * down + np.sin(turn) * across
    new_across = np.cos(turn) * across - np.sin(turn) * down
    return _rows(_resample(_square(x), new_down - down, new_across - across))


def warp(x: Array, y: Array, rng: Rng, pixels: float) -> Array:
    """Move each pixel by a smooth random field of this root mean square."""
    field = rng.standard_normal((2, len(x), SIDE, SIDE), np.float32)
    field = ndimage.gaussian_filter(field, (0, 0, SWELL, SWELL))
    field *= pixels / np.sqrt(np.square(field).mean())
    return _rows(_resample(_square(x), *field))


def _fade(x, other, share):
    return _rows((1 - share) * _square(x) + share * other)


def thicker(x: Array, y: Array, rng: Rng, share: float) -> Array:
    """Fade to pictures whose strokes are a pixel wider on each side."""
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return _fade(x, ndimage.grey_dilation(_square(x), footprint=cross), share)


def thinner(x: Array, y: Array, rng: Rng, share: float) -> Array:
    """Fade to pictures whose strokes are a pixel narrower on each side."""
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return _fade(x, ndimage.grey_erosion(_square(x), footprint=cross), share)


def blur(x: Array, y: Array, rng: Rng, pixels: float) -> Array:
    """Smooth by a normal curve of this standard deviation."""
    return _rows(ndimage.gaussian_filter(_square(x), (0, pixels, pixels)))


def noise(x: Array, y: Array, rng: Rng, std: float) -> Array:
    """Add normal noise to each pixel; what leaves the scale is clipped."""
    return _rows(_square(x) + std * _square(rng.standard_normal(x.shape)))


def contrast(x: Array, y: Array, rng: Rng, factor: float) -> Array:
    """Stretch grey levels about one half; what leaves the scale is clipped."""
    return _rows(0.5 + factor * (_square(x) - 0.5))


def binarise(x: Array, y: Array, rng: Rng, level: float) -> Array:
    """Ink where a pixel is above this level, else paper."""
    return _rows(_square(x) > level)


def _partners(y, rng, same_class):
    """Another row for each, of the same digit or of any."""
    if not same_class:
        return rng.permutation(len(y))
    partner = np.arange(len(y))
    for c in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == c))
        partner[rows] = np.roll(rows, 1)
    return partner


def halves_same(x: Array, y: Array, rng: Rng, strength: float = 0) -> Array:
    """The upper half of one, the lower of another of the same digit."""
    images = _square(x).copy()
    other = _square(x)[_partners(y, rng, True)]
    images[:, SIDE // 2 :] = other[:, SIDE // 2 :]
    return _rows(images)


def halves_any(x: Array, y: Array, rng: Rng, strength: float = 0) -> Array:
    """The upper half of one, the lower of another of any digit."""
    images = _square(x).copy()
    other = _square(x)[_partners(y, rng, False)]
    images[:, SIDE // 2 :] = other[:, SIDE // 2 :]
    return _rows(images)


def swap_quarters(x: Array, y: Array, rng: Rng, strength: float = 0) -> Array:
    """Exchange the quarters of each, corner to corner."""
    return _rows(np.roll(_square(x), (SIDE // 2, SIDE // 2), AXES))


def mirror(x: Array, y: Array, rng: Rng, strength: float = 0) -> Array:
    """Exchange left and right."""
    return _rows(_square(x)[:, :, ::-1])


def upside_down(x: Array, y: Array, rng: Rng, strength: float = 0) -> Array:
    """Exchange top and bottom."""
    return _rows(_square(x)[:, ::-1])


def repeat(x: Array, y: Array, rng: Rng, variants: int) -> Array:
    """Only a few pictures of each digit, again and again."""
    rows = np.arange(len(y))
    for c in np.unique(y):
        of_class = np.flatnonzero(y == c)
        few = rng.choice(of_class, variants, replace=False)
        rows[of_class] = np.resize(few, len(of_class))
    return _rows(_square(x)[rows])


def drop_class(x: Array, y: Array, rng: Rng, digit: int) -> Array:
    """Other digits in the place of one."""
    rows, gone = np.arange(len(y)), np.flatnonzero(y == digit)
    rows[gone] = rng.choice(np.flatnonzero(y != digit), len(gone), False)
    return _rows(_square(x)[rows])


def permute_labels(x: Array, y: Array, rng: Rng, share: float) -> Array:
    """Hand this share of the pictures out to other labels."""
    rows = np.arange(len(y))
    some = rng.choice(rows, round(share * len(y)), replace=False)
    rows[some] = rng.permutation(some)
    return _rows(_square(x)[rows])


def garbage(x: Array, y: Array, rng: Rng, share: float) -> Array:
    """Patchworks of 16 squares, each from another digit, for this share."""
    images, n = _square(x).copy(), round(share * len(x))
    some = rng.choice(len(x), n, replace=False)
    for top in range(0, SIDE, 7):
        for left in range(0, SIDE, 7):
            place = np.s_[:, top : top + 7, left : left + 7]
            other = _square(x)[rng.integers(len(x), size=n)]
            patched = images[some]
            patched[place] = other[place]
            images[some] = patched
    return _rows(images)


def double(x: Array, y: Array, rng: Rng, share: float) -> Array:
    """For this share, another of the same digit shines through."""
    images, other = _square(x).copy(), _square(x)[_partners(y, rng, True)]
    some = rng.choice(len(x), round(share * len(x)), replace=False)
    images[some] = (images[some] + other[some]) / 2
    return _rows(images)


def hole(x: Array, y: Array, rng: Rng, side: int) -> Array:
    """Erase a square about a pixel of ink."""
    images = _square(x).copy()
    for image in images:
        places = np.argwhere(image > 0.5)
        if len(places):
            i, j = places[rng.integers(len(places))] - side // 2
            i, j = max(i, 0), max(j, 0)
            image[i : i + side, j : j + side] = 0
    return _rows(images)


def speck(x: Array, y: Array, rng: Rng, side: int) -> Array:
    """Blacken a square anywhere within 20 x 20 pixels."""
    images = _square(x).copy()
    corners = rng.integers(4, 25 - side, (len(x), 2))
    for image, (i, j) in zip(images, corners, strict=True):
        image[i : i + side, j : j + side] = 1
    return _rows(images)


LADDER: dict[str, tuple[Callable[..., Array], list]] = {
    "same": (same, [0]),
    "shift": (shift, [1, 2, 3]),
    "rotate": (rotate, [10, 20]),
    "warp": (warp, [0.5, 1, 2]),
    "thicker": (thicker, [0.5, 1]),
    "thinner": (thinner, [0.5, 1]),
    "blur": (blur, [0.3, 0.6, 1.0]),
    "noise": (noise, [0.02, 0.05, 0.1, 0.2]),
    "less contrast": (contrast, [0.75]),
    "contrast": (contrast, [1.5, 2, 3]),
    "binarise": (binarise, [0.5]),
    "halves, same digit": (halves_same, [1]),
    "halves, any digit": (halves_any, [1]),
    "quarters swapped": (swap_quarters, [1]),
    "mirror": (mirror, [1]),
    "upside down": (upside_down, [1]),
    "variants a digit": (repeat, [100, 25, 5, 1]),
    "without a digit": (drop_class, [5]),
    "labels permuted": (permute_labels, [0.1, 0.5]),
    "garbage": (garbage, [0.05, 0.1, 0.25]),
    "double exposure": (double, [0.05, 0.1, 0.25]),
    "hole": (hole, [3]),
    "speck": (speck, [2]),
    "copies": (same, [0]),
    "copies, noise": (noise, [0.05, 0.1]),
    "copies, moved": (shift, [1, 2]),
    "copies, warped": (warp, [0.5, 1]),
}
"""Function and strengths by name, the weakest first. Start from held-out
digits, those in FROM_TRAINING from digits that a model was fitted to."""

FROM_TRAINING = {name for name in LADDER if name.startswith("copies")}


def disturb(name: str, x: Array, y: Array, rng: Rng, strength: float) -> Array:
    """Disturb pictures as one step of the ladder does.

    Parameters
    ----------
    name : str
        One of `LADDER`.
    x : ndarray of shape (n, 784)
        0 for paper to 1 for ink.
    y : int ndarray of shape (n,)
        Their digits.
    rng : numpy.random.Generator
    strength : int or float
        In units of its own for each name; `LADDER` lists what was tried.

    Returns
    -------
    float32 ndarray of shape (n, 784)
        Pictures for the same labels, in [0, 1].

    Raises
    ------
    ValueError
        If there is no such name, or an array does not fit.
    """
    if name not in LADDER:
        raise ValueError(f"no disturbance is named {name!r}: {[*LADDER]}")
    x = check_rows("x", x, SIDE**2)
    y = check_labels("y", y, len(x), 10)
    check_rng("rng", rng)
    return LADDER[name][0](x, y, rng, strength)
