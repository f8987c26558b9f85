"""The networks of lessons 10 and 11 train on each backend of Keras.

Run are the lessons' own cells: imports, constants, and those tagged model.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tools import seeds

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "notebooks"

VAE = """
import json, sys
(x, y), _ = load_mnist()
x = preprocess(x[:2000])
keras.utils.set_random_seed(0)
vae = VAE(2)
vae.compile(keras.optimizers.Adam(2e-3))
losses = vae.fit(x, batch_size=50, epochs=3, verbose=0).history["loss"]
terms = vae.predict(x[:10], verbose=0)
vae.save_weights(sys.argv[1] + "/vae.weights.h5")
other = VAE(2)
other.predict(x[:10], verbose=0)
other.load_weights(sys.argv[1] + "/vae.weights.h5")
network, inputs = other.decoder, np.random.default_rng(0).normal(size=(5, 2))
"""

GAN = """
import json, sys
(x, y), _ = load_mnist()
x, y = preprocess(x[:2000]), y[:2000]
keras.utils.set_random_seed(0)
gan = make_gan()
before = [weights.copy() for weights in gan.generator.get_weights()]
losses = train(gan, x, LABELS[y], 2)["loss"]
after = gan.generator.get_weights()
terms = np.array([np.abs(a - b).max() for a, b in zip(after, before)])
terms = np.stack([terms, terms])
assert draw(gan, np.random.default_rng(0)).shape == (2500, 784)
network = gan.generator
inputs = np.random.default_rng(0).normal(size=(5, network.input_shape[1]))
"""

TELL = """
inputs = inputs.astype("float32")
result = {
    "backend": keras.backend.backend(),
    "losses": [float(loss) for loss in losses],
    "terms": np.asarray(terms).tolist(),
    "inputs": inputs.tolist(),
    "outputs": network.predict(inputs, verbose=0).tolist(),
    "weights": [w.tolist() for w in network.get_weights()],
}
json.dump(result, open(sys.argv[1] + "/result.json", "w"))
"""


def trained(lesson, script, backend, folder):
    """What a lesson's model says of itself after a few steps."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    code = "\n".join([*seeds.code_of(LESSONS / lesson), script, TELL])
    (folder / "run.py").write_text(code, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, folder / "run.py", folder],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "KERAS_BACKEND": backend,
            "MPLBACKEND": "agg",
            "PYTHONPATH": str(ROOT),
        },
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads((folder / "result.json").read_text("utf-8"))
    assert found["backend"] == backend
    return found


def by_numpy(found, last):
    """The network's outputs, from its weights alone."""
    h, weights = np.array(found["inputs"]), found["weights"]
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        h = h @ np.array(w) + b
        h = np.where(h > 0, h, 0.2 * h)
    return last(h @ np.array(weights[-2]) + weights[-1])


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_the_autoencoder_trains(backend, tmp_path):
    name = "10_variational_autoencoders.ipynb"
    found = trained(name, VAE, backend, tmp_path)
    losses = found["losses"]
    assert losses[-1] < losses[0] - 30 and losses[-1] < 260  # nats
    pixels, kl = np.transpose(found["terms"])
    assert (pixels > 0).all() and (kl > 0).all()
    np.testing.assert_allclose(
        found["outputs"], by_numpy(found, lambda a: a), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_the_adversarial_network_trains(backend, tmp_path):
    name = "11_adversarial_networks.ipynb"
    found = trained(name, GAN, backend, tmp_path)
    assert np.isfinite(found["losses"]).all()
    assert 0 < found["losses"][-1] < 2  # log 2 and the penalty
    assert np.min(found["terms"]) > 0  # each weight of the generator moved

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    np.testing.assert_allclose(
        found["outputs"], by_numpy(found, sigmoid), rtol=1e-3, atol=1e-3
    )


def test_the_stored_seeds_are_of_the_lesson_as_it_is():
    stored = json.loads(seeds.STORE.read_text("utf-8"))
    assert stored["code"] == seeds.digest(seeds.code_of(seeds.LESSON))
    assert [row["seed"] for row in stored["rows"]] == [1, 2]
