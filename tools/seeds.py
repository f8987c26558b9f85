"""Train the lessons' networks again, and store their scores.

A lesson trains one seed. Where its constants name MORE_SEEDS, this trains
with each of them, and once on half of the digits for the score of copies,
scores the network whose weights are stored, if there is one, and writes
utils/scores/seeds.json, unless what is stored is of the same code.
`make refresh` runs it; it takes minutes a training.

    python -m tools.seeds            the lessons whose code has changed
    python -m tools.seeds 11         the same, of one lesson
    python -m tools.seeds --force    in any case
"""

import sys
import time
from dataclasses import asdict, replace

import numpy as np

from tools.networks import (
    digits_to_fit,
    find_networks,
    load_network,
    row_draws,
    train_network,
    variants,
)
from tools.scores import network_code, stored_rows
from tools.settings import clean_settings
from utils.data import load_mnist, preprocess
from utils.lessons import model_sources
from utils.scores.board import SEEDS, Row, read_seeds
from utils.scores.judge import JUDGE_SHA256
from utils.scores.protocol import make_reference, score_model
from utils.weights import load_weights


def is_fresh(rows, code):
    """Whether stored rows are of this code and of today's judge."""
    judge = JUDGE_SHA256[:16]
    return bool(rows) and all(
        (row.code, row.judge) == (code, judge) for row in rows
    )


def rows_of_trainings(path, code) -> list[Row]:
    """Train a lesson's network with each of its seeds, and once on half of
    the digits, in as many steps; score all its rows each time.
    """
    network, lesson = load_network(path), int(path.name[:2])
    (x, y), (x_test, y_test) = load_mnist()
    reference = make_reference(x, y, x_test, y_test)
    x, half, rows = preprocess(x), reference.half, []
    fit, plan = digits_to_fit(network, y), []
    for options, epochs in variants(network):
        for s in network["MORE_SEEDS"]:
            plan.append((f"seed {s}", s, fit, epochs, options))
        if "TEACHER" in network:  # which has seen both halves
            continue
        more = round(epochs * len(fit) / half.sum())
        some = np.flatnonzero(half)
        plan.append(("half", network["SEED"], some, more, options))
    for name, seed, some, epochs, options in plan:
        digits, start = (x[some], y[some]), time.perf_counter()
        model = train_network(network, seed, *digits, epochs, options)
        seconds = time.perf_counter() - start
        for title, draw in row_draws(network, model, *digits).items():
            row = score_model(
                f"{title}, {name}",
                lesson,
                draw,
                reference,
                half=draw if name == "half" else None,
                fit_s=seconds,
            )
            rows.append(replace(row, code=code))
            print(*row.texts(), sep="  ", flush=True)
    stored = score_stored(network, lesson, x, y, reference)
    return rows + [replace(row, code=code) for row in stored]


def score_stored(network, lesson, x, y, reference) -> list[Row]:
    """Score the network whose weights are stored, if there is one: its lesson
    neither trains it nor waits for its draws.
    """
    if "STORED" not in network:
        return []
    model = network["make_model"](**network["STORED"])
    network["train"](model, x[:100], y[:100], epochs=1)  # makes its weights
    load_weights(model, network["WEIGHTS"])
    return [
        score_model(f"{name}, stored", lesson, draw, reference)
        for name, draw in row_draws(network, model, x, y).items()
    ]


@clean_settings()
def main(arguments):
    """Write the file, unless all is of this very code."""
    wanted = [word.zfill(2)[:2] for word in arguments if word[0] != "-"]
    kept = []
    for path in find_networks():
        rows, code = read_seeds(int(path.name[:2])), network_code(path)
        stale = "--force" in arguments or not is_fresh(rows, code)
        seeded = any("MORE_SEEDS" in s for s in model_sources(path))
        if seeded and stale and (not wanted or path.name[:2] in wanted):
            rows = rows_of_trainings(path, code)
        kept += rows
    text = stored_rows([asdict(row) for row in kept])
    SEEDS.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
