"""A later lesson takes the network of an earlier one."""

import json

import pytest

from tools import scores
from utils import lessons


def cell(source, *tags, kind="code"):
    return {
        "cell_type": kind,
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
    }


CELLS = [
    cell("nothing", kind="markdown"),
    cell("raise SystemExit", "set-up"),
    cell("import math"),
    cell(["SEED = 3\n", "TWICE = 2 * SEED"]),
    cell("raise ValueError"),
    cell("def area(r):\n    return math.pi * r**2 + SEED", "model"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    text = json.dumps({"cells": CELLS})
    (tmp_path / "30_some.ipynb").write_text(text, encoding="utf-8")
    monkeypatch.setattr(lessons, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(scores, "NOTEBOOKS", tmp_path)
    return tmp_path


def test_a_lesson_gives_its_constants_and_its_network(folder):
    some = lessons.load_lesson("30_some")
    assert some.TWICE == 6
    assert some.area(0) == 3


def test_what_is_no_lesson_is_refused(folder):
    with pytest.raises(FileNotFoundError, match="no lesson '31_other'"):
        lessons.load_lesson("31_other")
    path = folder / "31_bare.ipynb"
    path.write_text(json.dumps({"cells": CELLS[2:]}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"31_bare.ipynb has no cell tagged"):
        lessons.load_lesson("31_bare")


def test_scores_are_of_the_lesson_that_is_loaded_too(folder):
    sources = ["some = load_lesson('30_some')", "x = some.area(1)"]
    found = scores.with_loaded(sources)
    assert found[:2] == sources
    assert found[2:] == lessons.model_sources(folder / "30_some.ipynb")
    assert scores.with_loaded(["x = 1"]) == ["x = 1"]
