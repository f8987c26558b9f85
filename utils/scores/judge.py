"""The judge: a small convolutional network that reads digits for the scores.

tools/make_judge.py has trained it, once. It is no part of any model here.
"""

import hashlib
import io
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from utils.checks import check_rows
from utils.data import validation_split

if TYPE_CHECKING:
    import keras

__all__ = ["Reading", "build_judge", "load_judge", "read_digits"]

JUDGE_FILE = Path(__file__).with_name("judge.npz")
JUDGE_SHA256 = (
    "bd381c389dea7b16d30f88c5e83e6f930b8f63f4c6e2682737c157b2896186df"
)
BATCH = 50
N_HELD_OUT = 10_000  # training digits that it has not seen


class Reading(NamedTuple):
    """What the judge says of n pictures: float32 arrays.

    Attributes
    ----------
    probs : ndarray of shape (n, 10)
        Probability of each digit.
    features : ndarray of shape (n, 128)
        The maps of the third convolution, averaged over the picture.
    maps : ndarray of shape (n, 1152)
        The same maps, averaged over 3 x 3 overlapping windows, so that they
        say what is where.
    """

    probs: np.ndarray
    features: np.ndarray
    maps: np.ndarray


def build_judge(start: str = "glorot_uniform") -> "keras.Model":
    """Build the judge, untrained.

    KERAS_BACKEND=jax is set unless a backend was chosen.

    Parameters
    ----------
    start : str
        Keras' name of what sets the first weights; "zeros" is the fastest,
        for a judge that is given its weights.

    Returns
    -------
    keras.Model
        From rows of 784 pixels in [0, 1] to a dict of the three arrays that a
        `Reading` holds.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras
    from keras import layers

    # said in full: keras.json may have other defaults
    single = {"dtype": "float32"}
    image = {"dtype": "float32", "data_format": "channels_last"}
    pixels = keras.Input((784,), **single)
    h = layers.Reshape((28, 28, 1), **single)(pixels)
    for n_maps in (16, 32, 128):
        if n_maps > 16:
            h = layers.MaxPooling2D(**image)(h)
        same = {"padding": "same", "use_bias": False, **image}
        h = layers.Conv2D(n_maps, 3, kernel_initializer=start, **same)(h)
        h = layers.ReLU(**single)(layers.BatchNormalization(**single)(h))
    features = layers.GlobalAveragePooling2D(**image)(h)
    pooled = layers.AveragePooling2D(3, strides=2, **image)(h)
    maps = layers.Flatten(**image)(pooled)
    dropped = layers.Dropout(0.5, **single)(maps)
    last = {"activation": "softmax", "kernel_initializer": start, **single}
    probs = layers.Dense(10, **last)(dropped)
    outputs = {"probs": probs, "features": features, "maps": maps}
    return keras.Model(pixels, outputs, name="judge")


def judge_split(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training digits that the judge was trained on, and of
    the 10,000 that were held out.

    Parameters
    ----------
    y : int ndarray of shape (60000,)
        Labels of the training digits.

    Returns
    -------
    fit, held_out : int ndarrays of shapes (50000,) and (10000,)
        Shuffled.
    """
    rows, rng = np.arange(len(y)), np.random.default_rng(0)
    (fit, _), (held_out, _) = validation_split(rows, y, N_HELD_OUT, rng)
    return fit, held_out


def checked_bytes(path: Path, sha256: str, what: str) -> bytes:
    """Content of a file that belongs to the judge.

    Parameters
    ----------
    path : Path
    sha256 : str
        That the content must have.
    what : str
        What it holds, for the message.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else.
    """
    remedy = f"Restore it, for example: git checkout -- {path}"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; it holds {what}. {remedy}"
        )
    raw = path.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} does not hold {what}: expected sha256 {sha256}, "
            f"found {found}. {remedy}"
        )
    return raw


@cache
def load_judge() -> "keras.Model":
    """Load the trained judge; read at the first call, then kept.

    Returns
    -------
    keras.Model

    Raises
    ------
    FileNotFoundError
        If the file of its weights is missing.
    ValueError
        If that file is not the one whose scores are stored.
    """
    raw = checked_bytes(JUDGE_FILE, JUDGE_SHA256, "the judge's weights")
    with np.load(io.BytesIO(raw), allow_pickle=False) as file:
        weights = [file[f"arr_{i}"] for i in range(len(file.files))]
    judge = build_judge("zeros")
    judge.set_weights(weights)
    return judge


def read_digits(x: np.ndarray) -> Reading:
    """Let the judge read pictures.

    Parameters
    ----------
    x : float ndarray of shape (n, 784)
        Pixels, 0 for paper to 1 for ink; what lies outside is clipped.

    Returns
    -------
    Reading
        The same to about 1e-5 on each Keras backend and processor.

    Raises
    ------
    ValueError
        If x has another shape or holds a value that is not finite.
    """
    x = check_rows("x", x, 784, kinds="f")
    x = np.clip(x, 0, 1).astype(np.float32)
    judge = load_judge()
    # not `predict`, which rounds x to keras.json's floatx
    batches = [
        judge.predict_on_batch(x[start : start + BATCH])
        for start in range(0, len(x), BATCH)
    ]
    return Reading(
        **{n: np.concatenate([b[n] for b in batches]) for n in batches[0]}
    )
