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

if TYPE_CHECKING:
    import keras

__all__ = ["Reading", "build_judge", "load_judge", "read_digits"]

JUDGE_FILE = Path(__file__).with_name("judge.npz")
JUDGE_SHA256 = (
    "bd381c389dea7b16d30f88c5e83e6f930b8f63f4c6e2682737c157b2896186df"
)
BATCH = 50


class Reading(NamedTuple):
    """What the judge says of n pictures: float32 arrays.

    Attributes
    ----------
    probs : ndarray of shape (n, 10)
        Probability of each digit.
    features : ndarray of shape (n, 128)
        The maps of the third convolution, averaged over the picture: for the
        Fréchet distance.
    maps : ndarray of shape (n, 1152)
        The same maps, averaged over 3 x 3 overlapping windows: for precision,
        recall, density and coverage.
    """

    probs: np.ndarray
    features: np.ndarray
    maps: np.ndarray


def build_judge() -> "keras.Model":
    """Build the judge, untrained.

    KERAS_BACKEND=jax is set unless a backend was chosen.

    Returns
    -------
    keras.Model
        From rows of 784 pixels in [0, 1] to a dict of the three arrays that a
        `Reading` holds.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras
    from keras import layers

    pixels = keras.Input((784,))
    h = layers.Reshape((28, 28, 1))(pixels)
    for n_maps in (16, 32, 128):
        if n_maps > 16:
            h = layers.MaxPooling2D()(h)
        h = layers.Conv2D(n_maps, 3, padding="same", use_bias=False)(h)
        h = layers.ReLU()(layers.BatchNormalization()(h))
    features = layers.GlobalAveragePooling2D()(h)
    maps = layers.Flatten()(layers.AveragePooling2D(3, strides=2)(h))
    dropped = layers.Dropout(0.5)(maps)
    probs = layers.Dense(10, activation="softmax")(dropped)
    outputs = {"probs": probs, "features": features, "maps": maps}
    return keras.Model(pixels, outputs, name="judge")


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
    remedy = f"Restore it, for example: git checkout -- {JUDGE_FILE}"
    if not JUDGE_FILE.exists():
        raise FileNotFoundError(
            f"{JUDGE_FILE} is missing; it holds the judge's weights. {remedy}"
        )
    raw = JUDGE_FILE.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != JUDGE_SHA256:
        raise ValueError(
            f"{JUDGE_FILE} is not the judge: expected sha256 {JUDGE_SHA256}, "
            f"found {found}. {remedy}"
        )
    with np.load(io.BytesIO(raw), allow_pickle=False) as file:
        weights = [file[f"arr_{i}"] for i in range(len(file.files))]
    judge = build_judge()
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
    return Reading(**load_judge().predict(x, batch_size=BATCH, verbose=0))
