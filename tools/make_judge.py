"""Train the judge of the scores; write its weights, and the axes of shapes.

    make judge                              both
    python -m tools.make_judge --axes       the axes of the stored judge

Takes about four minutes on two cores. The weights differ a little on another
machine, and with them each stored score: put each sha256 that is printed
where it says, then call `make refresh`.
"""

import hashlib
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from utils.data import load_mnist, preprocess
from utils.scores.judge import (
    JUDGE_FILE,
    build_judge,
    judge_split,
    load_judge,
)
from utils.scores.shapes import AXES_FILE, cut, fit_axes

SEED = 0
N_FOR_AXES = 5000  # digits that the judge was trained on
EPOCHS = 6
BATCH = 128
LEARNING_RATE = 2e-3


def train(x, y, val, epochs):
    """Train a judge, by Adam with a rate that falls to 0.

    Returns
    -------
    keras.Model
    """
    keras.config.set_floatx("float32")  # whatever the user's keras.json says
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


def save(path, variable, *arrays, **named):
    """Write arrays, and tell the sha256 that the package must know."""
    np.savez(path, *arrays, **named)
    raw = path.read_bytes()
    print(f"{path}: {len(raw):,} bytes")
    print(f"{variable} = {hashlib.sha256(raw).hexdigest()}")


def main(arguments):
    """Train, unless only axes are asked for, and write what is new."""
    (x, y), (x_test, y_test) = load_mnist()
    fit, held_out = judge_split(y)
    if "--axes" in arguments:
        judge = load_judge()
    else:
        val = preprocess(x[held_out]), y[held_out]
        judge = train(preprocess(x[fit]), y[fit], val, EPOCHS)
        weights = map(keras.ops.convert_to_numpy, judge.weights)
        save(JUDGE_FILE, "JUDGE_SHA256 in utils/scores/judge.py", *weights)
        probs = judge.predict(preprocess(x_test), verbose=0)["probs"]
        print(f"test accuracy {(probs.argmax(axis=1) == y_test).mean():.2%}")
    some = cut(preprocess(x[fit[:N_FOR_AXES]]))
    mean, axes = fit_axes(judge.predict(some, verbose=0)["maps"])
    variable = "AXES_SHA256 in utils/scores/shapes.py"
    save(AXES_FILE, variable, mean=mean, axes=axes)


if __name__ == "__main__":
    main(sys.argv[1:])
