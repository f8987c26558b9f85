"""Train the networks that are too slow for their lesson; store their weights.

A lesson may have a second network, `make_model(**STORED)`, which takes
STORED_EPOCHS of `train` and which it does not train itself. This trains it,
by the lesson's own cells and with its SEED, and writes the weights to
utils/WEIGHTS, where WEIGHTS is the name that the lesson's constants give. The
lesson reads them by `utils.weights.load_weights`. `make refresh` runs it.

    python -m tools.weights            the lessons whose code has changed
    python -m tools.weights 13         the same, of one lesson
    python -m tools.weights --force    in any case
"""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tools.networks import (
    digits_to_fit,
    find_networks,
    load_network,
    train_network,
    variants,
)
from tools.notebooks import ROOT, write_text
from tools.settings import clean_settings
from utils import weights
from utils.data import load_mnist, preprocess
from utils.lessons import model_sources
from utils.scores.fingerprint import fingerprint

JUDGING = "utils.scores", "utils.weights"  # no part of a training


def weights_code(path: Path) -> str:
    """Fingerprint of the code that trains a lesson's stored network."""
    trees = [ast.parse(source) for source in model_sources(path)]
    for tree in trees:
        tree.body = [
            node
            for node in tree.body
            if not isinstance(node, ast.ImportFrom)
            or not all(
                f"{node.module}.{name.name}".startswith(JUDGING)
                for name in node.names
            )
        ]
    return fingerprint(map(ast.unparse, trees))


def stored_networks(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Each lesson with a stored network, and the name of its file."""
    for path in find_networks(root):
        for source in model_sources(path):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Assign) and (
                    ast.unparse(node.targets[0]) == "WEIGHTS"
                ):
                    yield path, ast.literal_eval(node.value)


def stale_weights(root: Path = ROOT) -> Iterator[str]:
    """Name each file of weights that is of another code."""
    record = weights.read_record()
    for path, name in stored_networks(root):
        if record.get(name, {}).get("code") != weights_code(path):
            yield (
                f"{name}: trained with another code; "
                f"make refresh LESSON={path.name[:2]}"
            )


def store_weights(model: Any, name: str, code: str) -> None:
    """Write a network's weights, and what they are, into utils.

    Raises
    ------
    ValueError
        If a weight is not finite, or too large for float16.
    """
    path, record = weights.FOLDER / name, weights.read_record()
    with np.errstate(over="ignore"):
        kept = [np.float16(w) for w in model.get_weights()]
    if not all(np.isfinite(w).all() for w in kept):
        raise ValueError(f"{name}: a weight is not finite in float16")
    np.savez_compressed(path, *kept)
    raw = path.read_bytes()
    record[name] = {"sha256": hashlib.sha256(raw).hexdigest(), "code": code}
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    write_text(weights.FOLDER / weights.RECORD, text)
    print(f"{name}: {len(raw):,} bytes")


@clean_settings()
def main(arguments):
    """Train and store what is of another code than the lesson's."""
    wanted = [word.zfill(2)[:2] for word in arguments if word[0] != "-"]
    for path, name in stored_networks():
        code = weights_code(path)
        stale = weights.read_record().get(name, {}).get("code") != code
        if not (stale or "--force" in arguments):
            continue
        if not wanted or path.name[:2] in wanted:
            network, ((x, y), _) = load_network(path), load_mnist()
            fit, seed = digits_to_fit(network, y), network["SEED"]
            _, (options, epochs) = variants(network)
            digits = preprocess(x[fit]), y[fit]
            model = train_network(network, seed, *digits, epochs, options)
            store_weights(model, name, code)


if __name__ == "__main__":
    main(sys.argv[1:])
