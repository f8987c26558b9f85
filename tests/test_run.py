"""tools.run: results, the site, errors, refreshed outputs."""

import base64
import json
import subprocess
import sys

import pytest
from nbclient.output_widget import OutputWidget
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import run
from tools.memory import peak_mb
from tools.notebooks import (
    as_text,
    code_cells,
    find_lessons,
    read,
    stored_figure,
    write,
)
from tools.scores import lesson_code

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAGNWi"
)
NAMES = "01_one", "02_two"
DRAW = f"""\
from IPython.display import display
display({{"image/png": "{PNG}"}}, raw=True)
"""


def lesson(number, code):
    """A lesson of one line of code and one picture."""
    opening = f"*Why?*\n\n![dot](pictures/{NAMES[number - 1]}.png)"
    cells = [
        new_markdown_cell(f"# {number}. Lesson\n\n[next](02_two.ipynb)"),
        new_markdown_cell(opening),
        new_code_cell(code, metadata={"scrolled": True}),
        new_code_cell(DRAW, metadata={"tags": ["picture"]}),
    ]
    return new_notebook(cells=cells)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Project of two lessons; the second fails. Nothing runs in the page."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nversion = "1"\n'
        '[project.urls]\nRepository = "https://github.com/a/b"\n'
    )
    for name in ["notation", "scoreboard"]:
        page = tmp_path / "notebooks" / f"{name}.md"
        page.write_text(f"# The {name}\n\n$x$\n")
    code = "import sys\nprint('old'.upper(), file=sys.stderr)\nprint(1 + 1)"
    for name, text in zip(NAMES, [code, "1 / 0"], strict=True):
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        write(lesson(int(name[:2]), text), path)
    (tmp_path / "utils" / "scores").mkdir(parents=True)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "build_lite", lambda out: out.mkdir(parents=True))
    return tmp_path


@pytest.fixture
def bare(tree, monkeypatch):
    """The same project; no site is built."""
    monkeypatch.setattr(run, "build_site", lambda *_: tree / "index.html")
    return tree


@pytest.mark.slow
def test_run_keeps_the_sources_and_goes_on_after_an_error(tree, capsys):
    before = {p: p.read_bytes() for p in (tree / "notebooks").iterdir()}
    assert run.choose(["02_two"], ["2", "02"]) == ["02_two"]
    assert run.main(["02"]) == 1
    lite = tree / "build" / "site" / "lite"
    assert not lite.exists()  # only a run of all lessons makes it
    assert run.main([]) == 1
    assert lite.exists()
    assert run.main(["1"]) == 0
    assert before == {
        p: p.read_bytes() for p in (tree / "notebooks").iterdir()
    }
    told = capsys.readouterr().out
    assert "failed in cell [1]: ZeroDivisionError: division by zero" in told
    assert "cell [1] warns: OLD" in told
    assert (tree / "build/site/index.html").as_uri() in told

    results = json.loads((tree / "build" / "run.json").read_text())
    assert set(results) == {"01_one", "02_two"}
    assert set(results["01_one"]) == {"seconds", "peak_mb"}
    assert 20 < results["01_one"]["peak_mb"] < 200
    assert "ZeroDivisionError" in results["02_two"]["error"]
    out = tree / "build" / "lessons"
    assert (out / "02_two.ipynb").exists() and not list(out.glob("*.part"))
    site = tree / "build" / "site"
    assert 'href="02_two.html"' in (site / "01_one.html").read_text("utf-8")
    assert "ZeroDivisionError" in (site / "02_two.html").read_text("utf-8")
    assert (site / "_images" / "01_one.png").exists()
    index = (site / "index.html").read_text("utf-8")
    for words in ["1. Lesson", "Why?", "This lesson failed in cell [1]"]:
        assert words in index
    for name in ["notation", "scoreboard"]:
        assert f'href="{name}.html"' in index
        assert f"The {name}" in (site / f"{name}.html").read_text("utf-8")


@pytest.mark.slow
def test_stopped_run_shows_what_has_run(bare, monkeypatch):
    shown = []

    def run_one(path, out, refresh):
        if path.stem == "02_two":
            raise KeyboardInterrupt
        write(read(path), out / path.name)
        return {"seconds": 1, "peak_mb": None}, []

    monkeypatch.setattr(run, "run_lesson", run_one)

    def build(*args):
        shown.append(args)
        return bare / "index.html"

    monkeypatch.setattr(run, "build_site", build)
    with pytest.raises(KeyboardInterrupt):
        run.main([])
    there, results, root = shown[0]
    assert list(there) == list(results) == ["01_one"] and root == bare
    assert not (bare / "build" / "site" / "lite").exists()


SCORES = """\
from IPython.display import display
rows = [{"lesson": n, "model": "m"} for n in (1, 2)]
display({"text/plain": "a table"}, metadata={"rows": rows}, raw=True)
"""


@pytest.mark.slow
def test_refresh_alone_stores_the_rows_of_a_lesson(bare):
    path = bare / "notebooks" / "01_one.ipynb"
    notebook = read(path)
    cell = new_code_cell(SCORES, metadata={"tags": ["scoreboard"]})
    notebook.cells.append(cell)
    write(notebook, path)
    assert run.main(["01"]) == 0
    store = bare / "utils" / "scores" / "rows.json"
    assert not store.exists()
    assert run.main(["--refresh", "01"]) == 0
    row = {"lesson": 1, "model": "m", "code": lesson_code(read(path))}
    assert json.loads(store.read_text()) == [row]


@pytest.mark.slow
def test_refresh_stores_only_what_is_without_error(bare):
    good, bad = find_lessons(bare)
    old = bad.read_bytes()
    assert run.main(["--refresh"]) == 1
    assert bad.read_bytes() == old
    once = good.read_bytes()
    assert run.main(["--refresh", "01"]) == 0
    assert good.read_bytes() == once
    notebook = read(good)
    assert notebook.metadata == run.METADATA
    code = notebook.cells[2]
    assert code.metadata == {} and code.execution_count == 1
    assert [out.text for out in code.outputs] == ["2\n"]
    assert stored_figure(notebook, "picture") == base64.b64decode(PNG)
    assert once.startswith(b'{\n "cells"') and once.endswith(b"}\n")


@pytest.mark.slow
def test_slow_cell_and_dead_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CELL_SECONDS", 1)
    slow = run.execute(lesson(1, "import time; time.sleep(60)"), tmp_path)
    assert "cell [1]: took longer than 1 s" in slow["error"]
    monkeypatch.setattr(run, "CELL_SECONDS", 30)
    dead = run.execute(lesson(1, "import os; os._exit(1)"), tmp_path)
    assert "cell [1]: its kernel died" in dead["error"]
    assert dead["peak_mb"] is None


def test_a_kernel_that_does_not_start_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no_python"))
    result = run.execute(lesson(1, "1"), tmp_path)
    assert result["error"].startswith("the start of its kernel: ")
    assert "no_python" in result["error"]


TABLE = """\
class Table:
    def _repr_html_(self):
        raise ValueError("no\\n  rows")
Table()
"""
FIGURE = """\
def draw():
    raise ValueError("no\\n  rows")
get_ipython().events.register("post_execute", draw)
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [TABLE, FIGURE], ids=["table", "figure"])
def test_an_error_that_is_only_shown_fails_the_lesson(code, bare, capsys):
    """Figures are drawn after the cell, which itself went well."""
    path = bare / "notebooks" / "01_one.ipynb"
    notebook = read(path)
    wanted = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    notebook.cells[2:3] = [wanted, new_code_cell(code)]
    write(notebook, path)
    before = path.read_bytes()
    assert run.main(["--refresh", "01"]) == 1
    assert path.read_bytes() == before
    told = capsys.readouterr().out
    assert "    failed in cell [2]: ValueError: no rows\n" in told


@pytest.mark.slow
def test_a_slider_is_stored_as_its_first_state(tmp_path, monkeypatch):
    code = """\
from ipywidgets import interact
import matplotlib.pyplot as plt
from utils.plotting import show

@interact(k=(1, 3))
def turn(k=2):
    print(k)
    plt.plot([0, k])
    show("a line that rises")"""
    notebook, sent = lesson(1, code), []

    def publish(self, *args, **kwargs):
        sent.append(args)

    # what is sent while a cell runs may hide the reply: the run would hang
    monkeypatch.setattr(OutputWidget, "_publish_msg", publish)
    assert "error" not in run.execute(notebook, tmp_path)
    assert not sent
    run.tidy(notebook)
    printed, figure = code_cells(notebook)[0].outputs
    assert printed.text == "2\n"
    assert set(figure.data) == {"image/png", "text/plain"}
    alt = {"alt": "a line that rises"}
    assert figure.metadata["image/png"] == alt
    assert "widget-view" not in as_text(notebook)


def test_unknown_lesson_lists_those_there():
    names = ["01_one", "10_ten"]
    with pytest.raises(
        SystemExit, match="no lesson '0'.*\n  01_one\n  10_ten"
    ):
        run.choose(names, ["0"])
    assert run.choose(names, []) == names
    for word in ["10", "10_ten", "notebooks/10_ten.ipynb"]:
        assert run.choose(names, [word]) == ["10_ten"]


def test_peak_memory_is_of_this_process_alone():
    """200 MB held a moment ago count; the parent's 200 MB do not."""
    code = "from tools import memory; {}; print(memory.peak_mb())"
    held = bytearray(200 * 2**20)
    peaks = [
        float(
            subprocess.check_output(
                [sys.executable, "-c", code.format(line)], cwd=run.ROOT
            )
        )
        for line in ["pass", "x = bytearray(200 * 2**20); del x"]
    ]
    assert peaks[0] < 100 and 190 < peaks[1] < 300
    assert peak_mb() > len(held) / 2**20
