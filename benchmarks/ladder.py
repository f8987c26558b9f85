"""What does each score notice?

    python -m benchmarks.ladder

Prints a table and writes build/bench_ladder.json: a line for each step of
`utils.scores.ladder`, each set of 2,500 held-out digits read once.

- pooled: Fréchet distance of the judge's features, of untouched pictures:
  what this scoreboard was once sorted by, and what many still are;
- shapes, precision, recall, tone, class: columns of the scoreboard;
- copies: share nearer to the half of the training digits from which copies
  were made than to the other half. Test digits give 1/2.

tests/test_ladder.py holds the scores to these figures.
"""

import zlib

from tools.bench import options, write

HEADS = "pooled", "shapes", "P", "R", "tone", "class", "copies"


def steps():
    """Name and strength of each step."""
    from utils.scores.ladder import LADDER

    return [(name, s) for name, (_, found) in LADDER.items() for s in found]


def measure():
    """Print the scores of each step as they come; a dict of all."""
    import numpy as np

    from utils.data import load_mnist, preprocess
    from utils.scores import make_reference, read_digits, stratified_choice
    from utils.scores.columns import COLUMNS, Drawn
    from utils.scores.ladder import FROM_TRAINING, disturb
    from utils.scores.metrics import frechet_distance
    from utils.scores.protocol import LABELS

    (x, y), test = load_mnist()
    reference, rng = make_reference(x, y, *test), np.random.default_rng(1)
    pooled = read_digits(reference.x[0]).features
    held_out, known = (
        preprocess(x[rows[stratified_choice(y[rows], rng)]])
        for rows in (reference.held_out, np.flatnonzero(reference.half))
    )

    def scores(pictures, copies):
        drawn = Drawn(pictures, LABELS, True, reference)
        features = read_digits(pictures).features
        found: dict = {"pooled": frechet_distance(pooled, features)}
        found |= {c.name: c.each(drawn) for c in COLUMNS if c.each}
        if copies:
            (half,) = [c.half for c in COLUMNS if c.half]
            found["copies"], _ = half(drawn)
        return found

    print(f"\n{'':24}" + "".join(f"{head:>10}" for head in HEADS))
    results = {"other test digits": scores(reference.x[1], True)}
    print_line("other test digits", results["other test digits"])
    for name, strength in steps():
        copies = name in FROM_TRAINING
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        start = known if copies else held_out
        pictures = disturb(name, start, LABELS, rng, strength)
        step = f"{name} {strength}"
        results[step] = scores(pictures, copies)
        print_line(step, results[step])
    return results


def print_line(name, scores):
    """Print the scores of a step."""
    line = "".join(f"{value:10.3f}" for value in scores.values())
    print(f"{name:24}{line}", flush=True)


if __name__ == "__main__":
    options(__doc__)
    write(measure())
