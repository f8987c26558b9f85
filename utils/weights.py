"""Weights of the networks that a lesson does not train itself."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.scores.judge import checked_bytes

if TYPE_CHECKING:
    import keras

__all__ = ["load_weights", "read_record"]

FOLDER = Path(__file__).resolve().parent
RECORD = "weights.json"  # of each file: its sha256, and of which code it is


def read_record() -> dict[str, dict[str, str]]:
    """What is known of each file of weights: `sha256` and `code`."""
    return json.loads((FOLDER / RECORD).read_text("utf-8"))


def load_weights(model: "keras.Model", name: str) -> None:
    """Give a network the weights that `tools.weights` has stored for it.

    Parameters
    ----------
    model : keras.Model
        Of the architecture that was stored; its weights must have been made,
        for example by a call.
    name : str
        File in the folder of this package, such as ``"grey_rows.npz"``.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If there is no record of it, its content is not the one that was
        stored, or the weights have other shapes than those of the model.
    """
    record = read_record()
    if name not in record:
        raise ValueError(f"name must be one of {sorted(record)}, got {name!r}")
    path, sha256 = FOLDER / name, record[name]["sha256"]
    raw = checked_bytes(path, sha256, "the weights that were stored")
    with np.load(io.BytesIO(raw), allow_pickle=False) as file:
        weights = [file[f"arr_{i}"] for i in range(len(file.files))]
    found = [w.shape for w in weights]
    wanted = [tuple(w.shape) for w in model.weights]
    if found != wanted:
        raise ValueError(
            f"model has weights of the shapes {wanted}, {name} of {found}"
        )
    model.set_weights([w.astype("float32") for w in weights])
