"""Train lesson 11's network with other seeds, and store their scores.

The lesson trains one seed. This takes its imports, its constants and its
cells tagged model, trains with each of the seeds that the lesson names in
MORE_SEEDS, and writes utils/gan_seeds.json. `make refresh` runs it. It takes
two minutes a seed, and nothing if that code has not changed.

    python tools/seeds.py            if the lesson's code has changed
    python tools/seeds.py --force    in any case
"""

import hashlib
import json
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LESSON = ROOT / "notebooks" / "11_adversarial_networks.ipynb"
STORE = ROOT / "utils" / "gan_seeds.json"
SCORES = ["frechet", "precision", "recall", "consistency", "nearest"]


def code_of(lesson):
    """Texts of the cells of imports, of constants, and tagged model."""
    cells = json.loads(lesson.read_text("utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    chosen = cells[1:3]  # after the set-up: imports, constants
    chosen += [c for c in cells if "model" in c["metadata"].get("tags", [])]
    return ["".join(cell["source"]) for cell in chosen]


def digest(sources):
    """Fingerprint that tells whether the stored scores are of this code."""
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()


def scores_of_seed(lesson, seed):
    """Train once; scores as the lesson's own row has them."""
    from utils.data import load_mnist, preprocess
    from utils.scoring import make_reference, score_model

    (x, y), (x_test, y_test) = load_mnist()
    lesson["keras"].utils.set_random_seed(seed)
    gan, start = lesson["make_gan"](), time.perf_counter()
    lesson["train"](gan, preprocess(x), lesson["LABELS"][y], lesson["EPOCHS"])
    fit_s = time.perf_counter() - start
    draw = partial(lesson["draw"], gan)
    reference = make_reference(x, x_test, y_test)
    row = asdict(score_model("GAN", 11, draw, reference, fit_s=fit_s))
    kept = {name: row[name] for name in [*SCORES, "fit_s", "machine"]}
    return {"seed": seed} | kept


def main(arguments):
    """Write the file, unless it is of this very code."""
    sys.path.insert(0, str(ROOT))
    sources = code_of(LESSON)
    stored = json.loads(STORE.read_text("utf-8")) if STORE.exists() else {}
    if stored.get("code") == digest(sources) and "--force" not in arguments:
        return
    lesson = {}
    for source in sources:
        exec(source, lesson)
    rows = []
    for seed in lesson["MORE_SEEDS"]:
        rows.append(scores_of_seed(lesson, seed))
        print(rows[-1], flush=True)
    text = json.dumps({"code": digest(sources), "rows": rows}, indent=1)
    STORE.write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
