"""Which trainings tools.seeds makes, and how it names them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tools import seeds
from utils.scores.board import Row

N = 60  # digits, of which a third is the half
STORED = {"STORED": {"grey": True}, "STORED_EPOCHS": 4, "WEIGHTS": "w.npz"}


def fake_network(log):
    """Two networks, of which nothing is trained."""
    utils = SimpleNamespace(set_random_seed=lambda seed: log.append(seed))
    return {
        "keras": SimpleNamespace(utils=utils),
        "make_model": lambda grey=False: "grey" if grey else "two",
        "train": lambda model, x, y, epochs: log.append((len(x), epochs)),
        "sample": None,
        "draws": lambda model, x, y, rng: {model: "draw"},
        "SEED": 5,
        "MORE_SEEDS": (6,),
        "EPOCHS": 2,
    }


@pytest.mark.parametrize("stored", [{}, STORED])
def test_each_network_is_trained_with_each_seed_and_on_half(
    monkeypatch, stored
):
    log, loaded = [], []
    images, y = np.zeros((N, 28, 28), np.uint8), np.zeros(N, int)
    reference = SimpleNamespace(half=np.arange(N) < N // 3)

    def score(name, lesson, draw, reference, half=None, fit_s=None):
        known = {"copies": (0.5, 0.0)} if half else {}
        rest = dict.fromkeys(["samples", "machine", "judge"], "")
        return Row(model=name, lesson=lesson, scores=known, **rest)

    for name, value in {
        "load_network": lambda path: fake_network(log) | stored,
        "load_mnist": lambda: ((images, y), (images, y)),
        "make_reference": lambda *digits: reference,
        "load_weights": lambda model, name: loaded.append((model, name)),
        "score_model": score,
    }.items():
        monkeypatch.setattr(seeds, name, value)
    monkeypatch.setattr(Row, "texts", lambda row: [row.model])
    rows = seeds.rows_of_trainings(Path("20_some.ipynb"), "code")
    names = ["two, seed 6", "two, half"]
    trained = [6, (N, 2), 5, (N // 3, 6)]  # as many steps on half
    if stored:
        names += ["grey, seed 6", "grey, half", "grey, stored"]
        trained += [6, (N, 4), 5, (N // 3, 12), (N, 1)]
    assert [row.model for row in rows] == names
    assert log == trained
    assert loaded == ([("grey", "w.npz")] if stored else [])
    assert {(row.lesson, row.code) for row in rows} == {(20, "code")}
    for row in rows:
        assert ("copies" in row.scores) == ("half" in row.model)


def test_a_network_with_a_teacher_is_not_trained_on_half(monkeypatch):
    """Its teacher has seen both halves, so that copies would not show."""
    log, images, y = [], np.zeros((N, 28, 28), np.uint8), np.zeros(N, int)
    network = fake_network(log) | {"TEACHER": "w.npz"}
    for name, value in {
        "load_network": lambda path: network,
        "load_mnist": lambda: ((images, y), (images, y)),
        "make_reference": lambda *digits: SimpleNamespace(half=y == 1),
        "score_model": lambda name, lesson, *rest, **known: Row(
            model=name,
            lesson=lesson,
            scores={},
            samples="",
            machine="",
            judge="",
        ),
    }.items():
        monkeypatch.setattr(seeds, name, value)
    monkeypatch.setattr(Row, "texts", lambda row: [row.model])
    rows = seeds.rows_of_trainings(Path("20_some.ipynb"), "code")
    assert [row.model for row in rows] == ["two, seed 6"]
    assert log == [6, (N, 2)]
