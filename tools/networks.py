"""Run a lesson's network outside of the lesson, by the lesson's own cells.

In cells tagged `model` a lesson with a network defines

    make_model()                  the network, untrained
    train(model, x, y)            fits it to pictures and their digits
    sample(model, labels, rng)    a picture for each digit asked for

and each of them may have more arguments, with defaults; `train` has `epochs`.
Where one training gives several rows of the scoreboard, it also defines

    draws(model, x, y, rng)       by the name of a row, what draws for it

Among its constants are MODEL, the name of its row, SEED and EPOCHS, and where
more trainings are wanted MORE_SEEDS, and N_VALIDATION, the digits set aside.
Where the lesson reads the weights of a second network (`tools.weights`), they
have STORED, the arguments that `make_model` takes for it, STORED_EPOCHS, and
WEIGHTS, the name of the file. A network that learns from an earlier lesson's
weights has TEACHER, the name of their file: to train it on half of the digits
would say nothing of copies. Nothing else of the lesson runs.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tools.notebooks import ROOT, find_lessons, read, tagged
from utils.data import validation_split
from utils.lessons import model_sources

CONTRACT = "make_model", "train", "sample"


def find_networks(root: Path = ROOT) -> list[Path]:
    """Paths of the lessons that have cells tagged `model`."""
    return [p for p in find_lessons(root) if tagged(read(p), "model")]


def load_network(path: Path) -> dict[str, Any]:
    """What the imports, constants and `model` cells of a lesson define.

    Parameters
    ----------
    path : Path
        A lesson.

    Returns
    -------
    dict
        The three functions above, and all else by its name.

    Raises
    ------
    ValueError
        If one of the three is missing.
    """
    names: dict[str, Any] = {"__name__": path.stem}
    for source in model_sources(path):
        exec(compile(source, str(path), "exec"), names)
    if missing := [name for name in CONTRACT if not callable(names.get(name))]:
        raise ValueError(f"{path.name} defines no {', '.join(missing)}")
    return names


def variants(network: dict[str, Any]) -> list[tuple[dict, int]]:
    """Arguments of `make_model` and epochs, for each network of a lesson."""
    found: list[tuple[dict, int]] = [({}, network["EPOCHS"])]
    if "STORED" in network:
        found.append((network["STORED"], network["STORED_EPOCHS"]))
    return found


def train_network(
    network: dict[str, Any],
    seed: int,
    x: np.ndarray,
    y: np.ndarray,
    epochs: int,
    options: dict,
) -> Any:
    """A network, made with some options and trained from a seed."""
    network["keras"].utils.set_random_seed(seed)
    model = network["make_model"](**options)
    network["train"](model, x, y, epochs=epochs)
    return model


def digits_to_fit(network: dict[str, Any], y: np.ndarray) -> np.ndarray:
    """Indices of the training digits that a lesson fits its network to."""
    fit = np.arange(len(y))
    if n := network.get("N_VALIDATION", 0):
        rng = np.random.default_rng(network["SEED"])
        (fit, _), _ = validation_split(fit, y, n, rng)
    return fit


def row_draws(
    network: dict[str, Any], model: Any, x: np.ndarray, y: np.ndarray
) -> dict[str, Callable]:
    """What draws for each row of a network, by the name of the row."""
    if "draws" in network:
        rng = np.random.default_rng(network["SEED"])
        return network["draws"](model, x, y, rng)
    return {network["MODEL"]: partial(network["sample"], model)}
