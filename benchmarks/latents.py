"""Does it pay to bend a density of latents?

    python -m benchmarks.latents

Trains lesson 10's VAE by that lesson's cells, and fits to draws of its q what
the lesson fits, and lesson 12's flow, told the digit. Prints a table and
writes build/bench_latents.json: what a latent of validation digits costs in
nats, given its digit, the share of digits that Bayes' rule reads right, and
three scores of draws, as on the scoreboard. It takes two minutes.
"""

from tools.bench import options, write

EPOCHS, COUPLINGS, WIDTH, BATCH, RATE = 16, 10, 128, 200, 4e-3


def measure():
    """Scores of each density, by its name."""
    from functools import partial

    import numpy as np
    from scipy.stats import norm

    from tools.networks import digits_to_fit, find_networks, load_network
    from utils.data import load_mnist, preprocess
    from utils.scores import make_reference, sample_classes, score_model

    networks = {path.name[:2]: load_network(path) for path in find_networks()}
    ten, twelve = networks["10"], networks["12"]
    (images, labels), test = load_mnist()
    fit = digits_to_fit(ten, labels)
    rest = np.setdiff1d(np.arange(len(labels)), fit)
    x, x_val = preprocess(images[fit]), preprocess(images[rest])
    y, y_val = labels[fit], labels[rest]
    one_hot, rng = twelve["ONE_HOT"], np.random.default_rng(0)

    ten["keras"].utils.set_random_seed(ten["SEED"])
    vae = ten["make_model"]()
    ten["train"](vae, x, y)
    normals, mixtures = ten["fit_latents"](vae, x, y, rng)

    def latents(x):
        m, s = ten["find_q"](vae, ten["toss"](x, rng))
        return m + s * rng.standard_normal(m.shape, np.float32)

    z = latents(x_val)
    flow = twelve["Flow"](z.shape[1], COUPLINGS, WIDTH)
    twelve["prepare"](flow, RATE, EPOCHS * (len(x) // BATCH))
    for _ in range(EPOCHS):
        both = latents(x), one_hot[y]
        flow.fit(both, batch_size=BATCH, verbose=0)

    def flow_log_prob(c):
        both = z, np.tile(one_hot[c], (len(z), 1))
        return flow.predict(both, batch_size=500, verbose=0)

    def from_flow(labels, rng):
        normal = rng.standard_normal((len(labels), z.shape[1]), np.float32)
        return flow.to_x(normal, one_hot[labels])

    def draw(latents, labels, rng):
        return ten["draw"](vae, latents(labels, rng))

    prior = norm.logpdf(z).sum(axis=1)
    log_probs = {
        "prior": [prior] * 10,
        "class Gaussians": [model.log_prob(z) for model in normals],
        "class mixtures": [model.log_prob(z) for model in mixtures],
        "flow": [flow_log_prob(c) for c in range(10)],
    }
    draws = {
        "prior": lambda labels, rng: rng.standard_normal(
            (len(labels), z.shape[1])
        ),
        "class Gaussians": lambda y, rng: sample_classes(normals, y, rng),
        "class mixtures": lambda y, rng: sample_classes(mixtures, y, rng),
        "flow": from_flow,
    }
    reference = make_reference(images, labels, *test)
    heads = "nats", "read right", "shapes", "precision", "recall"
    print(f"\n{'':18}" + "".join(f"{head:>12}" for head in heads))
    results = {}
    for name, by_class in log_probs.items():
        joint = np.transpose(by_class)
        row = score_model(
            name,
            10,
            partial(draw, draws[name]),
            reference,
            conditional=name != "prior",
        )
        values = [
            float(-joint[np.arange(len(z)), y_val].mean()),
            float((joint.argmax(axis=1) == y_val).mean()),
            *(row.scores[head][0] for head in heads[2:]),
        ]
        results[name] = dict(zip(heads, values, strict=True))
        print(f"{name:18}" + "".join(f"{value:12.3f}" for value in values))
    return results


if __name__ == "__main__":
    options(__doc__, threads=2)
    write(measure())
