"""Train the judge of the scores and write utils/scores/judge.npz.

    make judge

Takes about four minutes on two cores. The weights differ a little on another
machine, and with them each stored score: put the sha256 that is printed into
utils/scores/judge.py, then call `make refresh`.
"""

import hashlib
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from utils.data import load_mnist, preprocess, validation_split
from utils.scores.judge import JUDGE_FILE, build_judge

SEED = 0
N_VAL = 10_000
EPOCHS = 6
BATCH = 128
LEARNING_RATE = 2e-3


def train(x, y, val, epochs):
    """Train a judge, by Adam with a rate that falls to 0.

    Returns
    -------
    keras.Model
    """
    keras.utils.set_random_seed(SEED)
    judge = build_judge()
    steps = epochs * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    classifier = keras.Model(judge.input, judge.output["probs"])
    classifier.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    classifier.fit(
        x, y, batch_size=BATCH, epochs=epochs, validation_data=val, verbose=2
    )
    return judge


def main():
    (x, y), (x_test, y_test) = load_mnist()
    rng = np.random.default_rng(SEED)
    (x_fit, y_fit), val = validation_split(preprocess(x), y, N_VAL, rng)
    judge = train(x_fit, y_fit, val, EPOCHS)
    weights = map(keras.ops.convert_to_numpy, judge.weights)
    np.savez(JUDGE_FILE, *weights)
    probs = judge.predict(preprocess(x_test), verbose=0)["probs"]
    print(f"test accuracy {(probs.argmax(axis=1) == y_test).mean():.2%}")
    raw = JUDGE_FILE.read_bytes()
    print(f"{JUDGE_FILE}: {len(raw):,} bytes")
    print(f"sha256 {hashlib.sha256(raw).hexdigest()}")


if __name__ == "__main__":
    main()
