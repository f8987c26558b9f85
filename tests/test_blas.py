"""tools.blas: which cells agree, and which do not."""

import shutil
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import blas
from tools.notebooks import ROOT, write

CODE = "import os\nprint(os.environ['COLOUR'])"


@pytest.mark.slow
def test_cells_that_differ_are_named(tmp_path, monkeypatch):
    cells = [
        new_code_cell(
            CODE,
            execution_count=1,
            metadata={"tags": ["nbval-check-output"]},
            outputs=[new_output("stream", name="stdout", text=text)],
        )
        for text in ["red\n", "green\n", "red\n"]
    ]
    path = tmp_path / "notebooks" / "01_one.ipynb"
    path.parent.mkdir()
    write(new_notebook(cells=cells), path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(blas, "ROOT", tmp_path)
    found = blas.run_lessons({"COLOUR": "red"}, sys.executable, [path])
    assert found == (2, ["notebooks.01_one.ipynb Cell 1"])


def test_where_no_cell_runs_pytest_is_heard(monkeypatch):
    done = subprocess.CompletedProcess([], 4, "not found: 01_one.ipynb")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(RuntimeError, match="not found: 01_one.ipynb"):
        blas.run_lessons({}, sys.executable, [])


def test_each_setting_has_its_line(monkeypatch, capsys):
    def run_lessons(env, python, lessons):
        assert python == sys.executable
        assert [path.name[:2] for path in lessons] == ["02", "01"]
        bad = env.get("OPENBLAS_CORETYPE") == "Prescott"
        return (9, ["02 Cell 3"]) if bad else (10, [])

    monkeypatch.setattr(blas, "run_lessons", run_lessons)
    assert blas.main(["2", "1"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "setting      agree differ",
        "Haswell         10      0",
        "Prescott         9      1",
        "    02 Cell 3",
        "one thread      10      0",
    ]
