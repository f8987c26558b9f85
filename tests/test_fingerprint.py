"""A stored score is stale if, and only if, code behind it has changed."""

import shutil

import nbformat
import pytest

from tools.notebooks import find_lessons, tagged
from tools.scores import stale_rows, stamp_rows
from utils.scores import fingerprint as module
from utils.scores.board import Row, Scoreboard, read_scoreboard
from utils.scores.columns import ORDER
from utils.scores.judge import JUDGE_SHA256

NAMES = ["one", "other"]  # of models
LESSON = ["from utils.scores import score_model", "x = 1\n"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of utils, to change."""
    skip = shutil.ignore_patterns("*.npz", "*.json", "__pycache__")
    copy = tmp_path / "utils"
    shutil.copytree(module.PACKAGE, copy, ignore=skip)
    monkeypatch.setattr(module, "PACKAGE", copy)
    return copy


def change(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


CHANGES = {
    "a score": ("scores/metrics.py", "(a - b).mean()", "(a - b).max()"),
    "the judge": ("scores/judge.py", "bd381c", "ad381c"),
    "how it is asked": ("scores/protocol.py", "(0, 1, 2)", "(0, 1, 3)"),
    "a column": ("scores/columns.py", "K = 5", "K = 6"),
    "what they use": ("data.py", "np.float32(255)", "np.float32(256)"),
}
NO_CHANGES = {
    "docstring": ("scores/metrics.py", '"""Scores.', '"""Numbers.'),
    "comment": ("scores/protocol.py", "# samples a digit", "# of each"),
    "words": ("scores/columns.py", "how many numbers", "how much"),
    "type hint": ("scores/metrics.py", "k: int = 5", "k=5"),
    "picture": ("plotting.py", "GAP = 2", "GAP = 3"),
    "table": ("scores/board.py", '"measured on"', '"at"'),
    "not imported": ("gaussian.py", "return", "return 0 *"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_code_behind_a_score_counts(package, name):
    before = module.fingerprint(LESSON)
    file, old, new = CHANGES[name]
    change(package / file, old, new)
    assert module.fingerprint(LESSON) != before


@pytest.mark.parametrize("name", NO_CHANGES)
def test_all_else_does_not(package, name):
    before = module.fingerprint(LESSON)
    file, old, new = NO_CHANGES[name]
    change(package / file, old, new)
    assert module.fingerprint(LESSON) == before


def test_the_lesson_counts_but_not_its_comments():
    before = module.fingerprint(LESSON)
    assert module.fingerprint([LESSON[0], "x = 2"]) != before
    assert module.fingerprint([LESSON[0], "x  =  1  # one"]) == before
    assert len(before) == 16


@pytest.fixture
def project(tmp_path):
    """A lesson with two rows of its own, stamped."""
    rows = [
        Row(
            model=model,
            lesson=5,
            scores={ORDER: (2.0, 0.1)},
            samples="",
            machine="mine",
            judge=JUDGE_SHA256[:16],
        )
        for model in NAMES
    ]
    data, metadata = Scoreboard(rows)._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell(
        "board", metadata={"tags": ["scoreboard"]}
    )
    cell.outputs = [
        nbformat.v4.new_output("execute_result", data, metadata=metadata)
    ]
    cells = [nbformat.v4.new_code_cell("x = 1"), cell]
    cells.append(nbformat.v4.new_code_cell("after = 1"))
    notebook = nbformat.v4.new_notebook(cells=cells)
    stamp_rows("05_a.ipynb", notebook)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(notebook, folder / "05_a.ipynb")
    return tmp_path


def spoil(project, function):
    (path,) = find_lessons(project)
    notebook = nbformat.read(path, as_version=4)
    function(notebook)
    nbformat.write(notebook, path)
    return list(stale_rows(project))


def set_code(cell, source):
    return lambda notebook: notebook.cells[cell].update(source=source)


def test_a_stale_row_is_named(project):
    assert spoil(project, lambda notebook: None) == []
    assert spoil(project, set_code(2, "after = 2")) == []
    found = spoil(project, set_code(0, "x = 2"))
    assert [line.split(":")[0] for line in found] == NAMES
    assert all(line.endswith("make refresh LESSON=05") for line in found)


def test_a_row_of_another_judge_is_named(project):
    def change_judge(notebook):
        (cell,) = tagged(notebook, "scoreboard")
        cell.outputs[0].metadata["rows"][0]["judge"] = "another"

    (line,) = spoil(project, change_judge)
    assert "scored with another judge" in line


def test_each_stored_row_says_its_judge_and_its_code():
    for row in read_scoreboard():
        assert len(row.judge) == len(row.code) == 16, row.model
