"""The networks of the lessons train on each backend of Keras.

Run are the lessons' own cells, by `tools.networks`: a new lesson with a
network is tested as soon as it is there.
"""

import importlib.util
import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tools.networks import find_networks, load_network
from tools.notebooks import ROOT
from tools.scores import network_code
from utils.scores.board import SEEDS, read_scoreboard, read_seeds
from utils.scores.columns import COLUMNS

pytestmark = pytest.mark.slow

NETWORKS = find_networks()
DENSE = {  # the part that draws, if it is dense, and its last activation
    "10": ("decoder", lambda a: a),
    "11": ("generator", lambda a: 1 / (1 + np.exp(-a))),
}
QUICK = {"11": {"keep": 0.9}}  # an average over few steps, for few steps
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from tools.networks import load_network
from utils.data import load_mnist, preprocess

network = load_network(Path(sys.argv[1]))
keras = network["keras"]
(x, y), _ = load_mnist()
x, y, labels = preprocess(x[:2000]), y[:2000], np.arange(10).repeat(20)


def sample(seed):
    rng = np.random.default_rng(seed)
    return np.asarray(network["sample"](model, labels, rng))


def distance(drawn):
    return float(np.square(drawn.mean(axis=0) - x.mean(axis=0)).sum())


keras.utils.set_random_seed(0)
model = network["make_model"]()
network["train"](model, x, y, **json.loads(sys.argv[3]))
drawn = sample(0)
result = {
    "backend": keras.backend.backend(),
    "blank": distance(np.zeros_like(drawn)),
    "drawn": distance(drawn),
    "range": [float(drawn.min()), float(drawn.max())],
    "shape": drawn.shape,
    "same": bool(np.array_equal(drawn, sample(0))),
    "other": bool(np.array_equal(drawn, sample(1))),
}
if len(sys.argv) > 4:
    part = getattr(model, sys.argv[4])
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(5, part.input_shape[1])).astype("float32")
    result |= {
        "inputs": inputs.tolist(),
        "outputs": part.predict(inputs, verbose=0).tolist(),
        "weights": [np.asarray(w).tolist() for w in part.get_weights()],
    }
Path(sys.argv[2]).write_text(json.dumps(result))
"""


def trained(path, backend, folder):
    """What a lesson's network says of itself after a short training."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    part = [DENSE[path.name[:2]][0]] if path.name[:2] in DENSE else []
    result, quick = folder / "result.json", QUICK.get(path.name[:2], {})
    words = path, result, json.dumps(quick), *part
    run = subprocess.run(
        [sys.executable, folder / "script.py", *words],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "KERAS_BACKEND": backend,
            "MPLBACKEND": "agg",
            "PYTHONPATH": str(ROOT),
        },
        timeout=3000,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(result.read_text("utf-8"))


def by_numpy(found, last):
    """The outputs of a dense network, from its weights alone."""
    h, weights = np.array(found["inputs"]), found["weights"]
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        h = h @ np.array(w) + b
        h = np.where(h > 0, h, 0.2 * h)
    return last(h @ np.array(weights[-2]) + weights[-1])


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.name[:2])
def test_a_network_learns_to_draw(path, backend, tmp_path):
    found = trained(path, backend, tmp_path)
    assert found["backend"] == backend
    assert found["shape"] == [200, 784]
    assert 0 <= found["range"][0] and found["range"][1] <= 1
    assert found["same"] and not found["other"]  # rng decides
    # the mean of its draws comes near to that of real digits
    assert found["drawn"] < found["blank"] / 5
    if path.name[:2] in DENSE:
        _, last = DENSE[path.name[:2]]
        wanted = by_numpy(found, last)
        np.testing.assert_allclose(
            found["outputs"], wanted, rtol=1e-3, atol=1e-3
        )


def test_each_network_keeps_the_contract(tmp_path):
    found = [path.name[:2] for path in NETWORKS]
    assert found == ["10", "11", "12", "13", "14", "15"]
    text = NETWORKS[0].read_text("utf-8")
    broken = tmp_path / "10_broken.ipynb"
    broken.write_text(text.replace("def sample(", "def draw("), "utf-8")
    with pytest.raises(ValueError, match="10_broken.ipynb defines no sample"):
        load_network(broken)


def test_the_stored_seeds_are_of_the_lessons_as_they_are():
    """For each seed, for half of the digits and, of a network whose weights
    are stored, for those, there is each row.
    """
    stored = json.loads(SEEDS.read_text("utf-8"))
    scores = {column.name for column in COLUMNS if column.each or column.half}
    for path in NETWORKS:
        number = int(path.name[:2])
        rows = read_seeds(number)
        assert {row.code for row in rows} <= {network_code(path)}
        assert all(scores <= set(row.scores) for row in rows)
        network = load_network(path)
        seeds = network.get("MORE_SEEDS", ())
        trainings = [f"seed {seed}" for seed in seeds]
        if "TEACHER" not in network:
            trainings.append("half")
        found = [tuple(row.model.rsplit(", ", 1)) for row in rows]
        second = [pair for pair in found if pair[1] == "stored"]
        assert bool(second) == ("STORED" in network)
        found = [pair for pair in found if pair not in second]
        models = {model for model, _ in found}
        assert bool(models) == bool(seeds)
        assert sorted(found) == sorted(itertools.product(models, trainings))
        board = [row for row in read_scoreboard() if row.lesson == number]
        assert models <= {row.model for row in board}
        stored = [row for row in stored if row["lesson"] != number]
    assert not stored  # of a lesson that has no network
