"""Train the lessons' networks with other seeds, and store their scores.

A lesson trains one seed. Where its constants name MORE_SEEDS, this trains
with each of them and writes utils/scores/seeds.json, unless what is stored
is of the same code. `make refresh` runs it; it takes minutes a seed.

    python -m tools.seeds            the lessons whose code has changed
    python -m tools.seeds 11         the same, of one lesson
    python -m tools.seeds --force    in any case
"""

import sys
import time
from dataclasses import asdict, replace
from functools import partial

from tools.networks import find_networks, load_network
from tools.notebooks import model_sources
from tools.scores import network_code, stored_rows
from utils.data import load_mnist, preprocess
from utils.scores.board import SEEDS, Row, read_seeds
from utils.scores.judge import JUDGE_SHA256
from utils.scores.protocol import make_reference, score_model


def is_fresh(rows, code):
    """Whether stored rows are of this code and of today's judge."""
    judge = JUDGE_SHA256[:16]
    return bool(rows) and all(
        (row.code, row.judge) == (code, judge) for row in rows
    )


def rows_of_seeds(path, code) -> list[Row]:
    """Train a lesson's network with each of its seeds; a row for each."""
    network = load_network(path)
    (x, y), (x_test, y_test) = load_mnist()
    reference, rows = make_reference(x, y, x_test, y_test), []
    for seed in network["MORE_SEEDS"]:
        network["keras"].utils.set_random_seed(seed)
        model, start = network["make_model"](), time.perf_counter()
        network["train"](model, preprocess(x), y)
        row = score_model(
            f"{network['MODEL']}, seed {seed}",
            int(path.name[:2]),
            partial(network["sample"], model),
            reference,
            fit_s=time.perf_counter() - start,
        )
        rows.append(replace(row, code=code))
        print(*row.texts(), sep="  ", flush=True)
    return rows


def main(arguments):
    """Write the file, unless all is of this very code."""
    wanted = [word.zfill(2)[:2] for word in arguments if word[0] != "-"]
    kept = []
    for path in find_networks():
        rows, code = read_seeds(int(path.name[:2])), network_code(path)
        stale = "--force" in arguments or not is_fresh(rows, code)
        seeded = any("MORE_SEEDS" in s for s in model_sources(path))
        if seeded and stale and (not wanted or path.name[:2] in wanted):
            rows = rows_of_seeds(path, code)
        kept += rows
    text = stored_rows([asdict(row) for row in kept])
    SEEDS.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
