"""No setting of the user's own reaches a lesson that is run or tested."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import run, seeds
from tools.notebooks import ROOT, write
from tools.settings import DROPPED, EMPTIED, clean_settings

LOOK = """\
import os, sys
import matplotlib, numpy as np
print(sys.executable, np.array([1 / 3]), "startup" in globals())
print(matplotlib.rcParams["image.origin"])
print("inline" in matplotlib.get_backend())
print(os.listdir(os.environ["KERAS_HOME"]), "PYTHONWARNINGS" in os.environ)
"""
CLEAN = f"""\
{sys.executable} [0.33333333] False
upper
True
[] False
"""
STARTUP = """\
startup = True
import numpy
numpy.set_printoptions(precision=1)
"""
FIGURE = r"""
import matplotlib.pyplot as plt
plt.title(r"$\badmacro{x}$");
"""


@pytest.fixture
def hostile(tmp_path):
    """Variables that lead to settings which would change a lesson."""
    folder = tmp_path / "hostile"
    keras, rc = folder / "keras.json", folder / "matplotlibrc"
    startup = folder / "profile_default" / "startup" / "00.py"
    kernel = folder / "kernels" / "python3" / "kernel.json"
    for path, text in [
        (keras, json.dumps({"floatx": "float16"})),
        (rc, "image.origin: lower\n"),
        (startup, STARTUP),
        (kernel, json.dumps({"argv": ["no-such-python"], "display_name": ""})),
    ]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    places = [*EMPTIED, "JUPYTER_PATH"]
    return {name: str(folder) for name in places} | {
        "MATPLOTLIBRC": str(rc),
        "MPLBACKEND": "agg",
        "PYTHONSAFEPATH": "1",
        "PYTHONSTARTUP": str(startup),
        "PYTHONWARNINGS": "ignore",
    }


def test_settings_are_hidden_and_come_back(hostile, monkeypatch):
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    with clean_settings():
        assert not set(DROPPED) & set(os.environ)
        for name in EMPTIED:
            assert os.listdir(os.environ[name]) == []
        folder = os.path.dirname(os.environ["MATPLOTLIBRC"])
    assert {name: os.environ[name] for name in hostile} == hostile
    assert not os.path.exists(folder)


@pytest.mark.slow
def test_a_run_is_in_this_python_without_settings(
    hostile, tmp_path, monkeypatch
):
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    notebook, told = new_notebook(cells=[new_code_cell(LOOK)]), {}
    monkeypatch.setattr(
        run,
        "run_lessons",
        lambda *_: told.update(run.execute(notebook, tmp_path)),
    )
    run.main([])
    assert "error" not in told, told
    assert notebook.cells[0].outputs[0].text == CLEAN


def test_more_seeds_are_trained_without_settings(
    hostile, tmp_path, monkeypatch
):
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    found = []

    def find_networks():
        found.append(os.listdir(os.environ["KERAS_HOME"]))
        return []

    monkeypatch.setattr(seeds, "find_networks", find_networks)
    monkeypatch.setattr(seeds, "SEEDS", tmp_path / "seeds.json")
    seeds.main([])
    assert found == [[]]


@pytest.mark.slow
def test_nbval_runs_in_this_python_without_settings(hostile, tmp_path):
    """And a figure that cannot be drawn fails its cell."""
    cell = new_code_cell(LOOK, execution_count=1)
    cell.metadata.tags = ["nbval-check-output"]
    cell.outputs = [new_output("stream", name="stdout", text=CLEAN)]
    wanted = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    figure = new_code_cell(FIGURE)
    write(new_notebook(cells=[cell, wanted, figure]), tmp_path / "a.ipynb")
    command = "-m pytest -p conftest -p no:cacheprovider -q -rf --color=no"
    done = subprocess.run(
        [sys.executable, *command.split(), "-c", "pyproject.toml", tmp_path],
        cwd=ROOT,
        env=os.environ | hostile | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    told = done.stdout + done.stderr
    assert re.findall(r"(?m)^FAILED .*(Cell \d)", told) == ["Cell 2"], told
    assert "1 failed, 2 passed" in told


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_make_finds_the_tools(tmp_path):
    """Though the user has set PYTHONSAFEPATH."""
    makefile = tmp_path / "Makefile"
    command = f"{sys.executable} -m tools.memory"
    makefile.write_text(f"include {ROOT}/Makefile\nshow:\n\t{command}\n")
    done = subprocess.run(
        ["make", "-f", makefile, "show"],
        cwd=ROOT,
        env=os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
