"""Disturbances of real digits: what should a score notice?

Each function takes pictures (rows of 784 pixels, 0 for paper to 1 for ink),
their labels, a random generator and a strength, and gives as many pictures
for the same labels. `LADDER` holds them by name, weakest first. No model is
involved, so whoever looks at the pictures knows the right verdict.

Use it with held-out digits, 250 a class in the order of the labels; those in
`FROM_TRAINING` want training digits instead.
"""

import numpy as np
from scipy import ndimage

__all__ = ["FROM_TRAINING", "LADDER", "disturb"]

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


def same(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, strength: float = 0
) -> np.ndarray:
    """Leave them as they are."""
    return _rows(_square(x))


def shift(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, pixels: float
) -> np.ndarray:
    """Move each up, down, left or right by some pixels."""
    images, moved = _square(x), np.zeros((len(x), SIDE, SIDE), np.float32)
    ways = rng.integers(4, size=len(x))
    steps = [(pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)]
    for way, step in enumerate(steps):
        some = ways == way
        moved[some] = ndimage.shift(images[some], (0, *step), order=0)
    return _rows(moved)


def rotate(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, degrees: float
) -> np.ndarray:
    """Turn each by this angle about the middle, half of them either way."""
    turn = np.deg2rad(degrees) * rng.choice([-1, 1], len(x))
    turn = turn[:, None, None]
    down, across = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    new_down = np.cos(turn) * down + np.sin(turn) * across
    new_across = np.cos(turn) * across - np.sin(turn) * down
    return _rows(_resample(_square(x), new_down - down, new_across - across))


def warp(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, pixels: float
) -> np.ndarray:
    """Move each pixel by a smooth random field of this root mean square."""
    field = rng.standard_normal((2, len(x), SIDE, SIDE), np.float32)
    field = ndimage.gaussian_filter(field, (0, 0, SWELL, SWELL))
    field *= pixels / np.sqrt(np.square(field).mean())
    return _rows(_resample(_square(x), *field))


def _fade(x, other, share):
    return _rows((1 - share) * _square(x) + share * other)


def thicker(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, share: float
) -> np.ndarray:
    """Fade to pictures whose strokes are a pixel wider on each side."""
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return _fade(x, ndimage.grey_dilation(_square(x), footprint=cross), share)


def thinner(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, share: float
) -> np.ndarray:
    """Fade to pictures whose strokes are a pixel narrower on each side."""
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return _fade(x, ndimage.grey_erosion(_square(x), footprint=cross), share)


def blur(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, pixels: float
) -> np.ndarray:
    """Smooth by a normal curve of this standard deviation."""
    return _rows(ndimage.gaussian_filter(_square(x), (0, pixels, pixels)))


def noise(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, std: float
) -> np.ndarray:
    """Add normal noise to each pixel; what leaves the scale is clipped."""
    return _rows(_square(x) + std * _square(rng.standard_normal(x.shape)))


def contrast(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, factor: float
) -> np.ndarray:
    """Stretch grey levels about one half; what leaves the scale is clipped."""
    return _rows(0.5 + factor * (_square(x) - 0.5))


def binarise(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, level: float
) -> np.ndarray:
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


def halves_same(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, strength: float = 1
) -> np.ndarray:
    """The upper half of one, the lower of another of the same digit."""
    images = _square(x).copy()
    other = _square(x)[_partners(y, rng, True)]
    images[:, SIDE // 2 :] = other[:, SIDE // 2 :]
    return _rows(images)


def halves_any(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, strength: float = 1
) -> np.ndarray:
    """The upper half of one, the lower of another of any digit."""
    images = _square(x).copy()
    other = _square(x)[_partners(y, rng, False)]
    images[:, SIDE // 2 :] = other[:, SIDE // 2 :]
    return _rows(images)


def swap_quarters(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, strength: float = 1
) -> np.ndarray:
    """Exchange the quarters of each, corner to corner."""
    return _rows(np.roll(_square(x), (SIDE // 2, SIDE // 2), AXES))


def mirror(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, strength: float = 1
) -> np.ndarray:
    """Exchange left and right."""
    return _rows(_square(x)[:, :, ::-1])


def upside_down(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, strength: float = 1
) -> np.ndarray:
    """Exchange top and bottom."""
    return _rows(_square(x)[:, ::-1])


def repeat(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, variants: float
) -> np.ndarray:
    """Only a few pictures of each digit, again and again."""
    rows = np.arange(len(y))
    for c in np.unique(y):
        of_class = np.flatnonzero(y == c)
        few = rng.choice(of_class, variants, replace=False)
        rows[of_class] = np.resize(few, len(of_class))
    return _rows(_square(x)[rows])


def drop_class(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, digit: float
) -> np.ndarray:
    """Other digits in the place of one."""
    rows, gone = np.arange(len(y)), np.flatnonzero(y == digit)
    rows[gone] = rng.choice(np.flatnonzero(y != digit), len(gone), False)
    return _rows(_square(x)[rows])


def permute_labels(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, share: float
) -> np.ndarray:
    """Hand this share of the pictures out to other labels."""
    rows = np.arange(len(y))
    some = rng.choice(rows, round(share * len(y)), replace=False)
    rows[some] = rng.permutation(some)
    return _rows(_square(x)[rows])


def garbage(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, share: float
) -> np.ndarray:
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


def double(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, share: float
) -> np.ndarray:
    """Two pictures of one digit, one shining through the other, for this
    share."""
    images, other = _square(x).copy(), _square(x)[_partners(y, rng, True)]
    some = rng.choice(len(x), round(share * len(x)), replace=False)
    images[some] = (images[some] + other[some]) / 2
    return _rows(images)


def hole(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, side: float
) -> np.ndarray:
    """Erase a square about a pixel of ink."""
    images = _square(x).copy()
    for image in images:
        places = np.argwhere(image > 0.5)
        if len(places):
            i, j = places[rng.integers(len(places))] - side // 2
            i, j = max(i, 0), max(j, 0)
            image[i : i + side, j : j + side] = 0
    return _rows(images)


def speck(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, side: float
) -> np.ndarray:
    """Blacken a square anywhere within 20 x 20 pixels."""
    images = _square(x).copy()
    corners = rng.integers(4, 25 - side, (len(x), 2))
    for image, (i, j) in zip(images, corners, strict=True):
        image[i : i + side, j : j + side] = 1
    return _rows(images)


LADDER = {
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
FROM_TRAINING = {name for name in LADDER if name.startswith("copies")}


def disturb(name, x, y, rng, strength):
    """The pictures of one step of the ladder."""
    return LADDER[name][0](x, y, rng, strength)
