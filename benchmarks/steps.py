"""How many steps, how random, and how much guidance?

    python -m benchmarks.steps

Draws with lesson 14's stored network, by that lesson's cells. Prints a table
and writes build/bench_steps.json: scores of 2,500 draws as on the scoreboard,
against test digits, and seconds for 1,000 draws. It takes five minutes.
"""

from tools.bench import options, write

WALKS = (  # steps, eta, w
    *((steps, 0.0, 1.0) for steps in (1, 2, 4, 8, 25, 100)),
    *((steps, 0.5, 1.0) for steps in (4, 8, 25, 100)),
    *((steps, 1.0, 1.0) for steps in (4, 8, 25, 100)),
    *((20, 0.9, w) for w in (1.0, 1.25, 1.5, 2.0, 3.0)),  # the lesson's
)


def measure():
    """Scores of each walk, by its steps, eta and w."""
    import time

    import numpy as np

    from tools.networks import find_networks, load_network
    from utils import scores
    from utils.data import load_mnist, preprocess
    from utils.weights import load_weights

    [path] = [path for path in find_networks() if path.name[:2] == "14"]
    lesson = load_network(path)
    (images, labels), test = load_mnist()
    x = preprocess(images[:10])
    model = lesson["make_model"](**lesson["STORED"])
    model((x, lesson["ONE_HOT"][labels[:10]]))
    load_weights(model, lesson["WEIGHTS"])
    reference = scores.make_reference(images, labels, *test)
    real, unit = reference.z[0], reference.unit
    asked = np.arange(10).repeat(250)
    lesson["sample"](model, asked, np.random.default_rng(0), steps=1)  # warm
    heads = "shapes", "precision", "recall", "class", "tone", "seconds"
    print(f"\n{'steps eta   w':16}" + "".join(f"{h:>10}" for h in heads))
    results = {}
    for steps, eta, w in WALKS:
        rng, start = np.random.default_rng(0), time.perf_counter()
        drawn = lesson["sample"](model, asked, rng, steps, eta, w)
        seconds = (time.perf_counter() - start) / 2.5
        seen = scores.read_shapes(drawn)
        near = scores.neighbour_scores(real, seen.z)
        values = [
            scores.frechet_distance(seen.z, real) / unit,
            near.precision,
            near.recall,
            scores.class_consistency(seen.probs, asked),
            scores.tone_difference(drawn, reference.x[0]),
            seconds,
        ]
        name = f"{steps:5d} {eta:3} {w:4}"
        results[name] = dict(zip(heads, map(float, values), strict=True))
        print(f"{name:16}" + "".join(f"{value:10.3f}" for value in values))
    return results


if __name__ == "__main__":
    options(__doc__, threads=2)
    write(measure())
