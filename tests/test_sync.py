"""What tools/sync.py writes is fresh, and the set-up cell does its work."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import scores, sync

ROOT = Path(__file__).resolve().parents[1]
FACTS = sync.read_project(ROOT)
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PICTURE = ROOT / "notebooks" / "scoreboard.png"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Copy of what sync.py reads and writes."""
    (tmp_path / "notebooks").mkdir()
    for name in ["pyproject.toml", "README.md", "CITATION.cff"]:
        shutil.copy(ROOT / name, tmp_path)
    for path in [*LESSONS, PICTURE]:
        shutil.copy(path, tmp_path / "notebooks")
    (tmp_path / "utils").mkdir()
    shutil.copy(ROOT / "utils" / "scoreboard.json", tmp_path / "utils")
    monkeypatch.setattr(sync, "ROOT", tmp_path)
    return tmp_path


def contents(tree):
    return {p: p.read_bytes() for p in tree.rglob("*") if p.is_file()}


def test_nothing_is_stale(tree, capsys):
    assert sync.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (LESSONS[0].name, r"mybinder\.org/v2/gh/", "mybinder.org/v2/gh/x"),
        (LESSONS[0].name, r"\[Contents\]", "[Content]"),
        (LESSONS[1].name, r"\[← [^\]]*\]", "[← Before]"),
        (LESSONS[0].name, r"import subprocess", "import subprocess as s"),
        ("README.md", r"(?m)^\| \[\d\. .*$", "| [1. Gone](x) | ? |"),
        ("README.md", r"git clone http", "git clone ssh"),
        ("README.md", r"\| real test digits \| 6", "| real test digits | 7"),
        ("scoreboard.json", r'"recall": \[0\.', '"recall": [1.'),
        ("CITATION.cff", r"(?m)^version: ", "version: 9"),
    ],
)
def test_stale_file_is_named_and_mended(tree, capsys, file, old, new):
    before = contents(tree)
    path = next(tree.rglob(file))
    text = path.read_text("utf-8")
    spoiled = re.sub(old, new, text, count=1)
    assert spoiled != text
    path.write_text(spoiled, "utf-8", newline="\n")
    assert sync.main(["--check"]) == 1
    assert f"{path.relative_to(tree)}" in capsys.readouterr().out
    assert path.read_text("utf-8") == spoiled
    assert sync.main([]) == 0
    assert contents(tree) == before


def test_one_line_changes_the_address_everywhere(tree):
    path = tree / "pyproject.toml"
    text = path.read_text("utf-8")
    assert text.count(FACTS["url"]) == 1
    path.write_text(text.replace(FACTS["repository"], "ada/digits"), "utf-8")
    assert sync.main([]) == 0
    assert sync.main(["--check"]) == 0
    for path, content in contents(tree).items():
        assert FACTS["repository"].encode() not in content, path
        if path.suffix not in (".toml", ".png", ".json"):
            assert b"github.com/ada/digits" in content, path


def test_picture_of_the_readme_follows_its_lesson(tree):
    path = tree / "notebooks" / PICTURE.name
    before = path.read_bytes()
    path.write_bytes(before[:-1])
    assert sync.main(["--check"]) == 1
    assert sync.main([]) == 0
    assert path.read_bytes() == before


def lesson(number, *rows, picture="QQ=="):
    """A notebook that shows a scoreboard of some rows."""
    output = {
        "data": {"image/png": picture, "text/plain": "table"},
        "metadata": {"rows": list(rows)},
    }
    cells = [
        {"metadata": {}},
        {"metadata": {"tags": ["scoreboard"]}, "outputs": [output]},
    ]
    return {f"{number:02}_lesson.ipynb": {"cells": cells}}


def test_each_lesson_gives_its_own_rows_and_the_last_one_the_picture():
    old, new = {"lesson": 6, "model": "a"}, {"lesson": 8, "model": "b"}
    stale = old | {"model": "stale"}
    notebooks = lesson(6, old) | lesson(8, stale, new, picture="Qg==")
    notebooks |= {"09_lesson.ipynb": {"cells": []}}
    assert scores.boards(notebooks) == ([old, new], b"B")
    assert scores.boards({"09_lesson.ipynb": {"cells": []}}) == ([], None)


def set_up_code():
    """Set-up cell and first cell of the first lesson."""
    notebook = json.loads(LESSONS[0].read_text("utf-8"))
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert "set-up" in code[0]["metadata"]["tags"]
    return sync.source(code[0]), sync.source(code[1])


def run_cells(folder, *cells, flags=(), **variables):
    """Run cells in a new Python, in a folder."""
    environ = {k: v for k, v in os.environ.items() if "COLAB" not in k}
    script = folder / "cells.py"
    script.write_text("\n".join(cells), "utf-8")
    return subprocess.run(
        [sys.executable, *flags, script],
        cwd=folder,
        env=environ | {"MPLBACKEND": "agg"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def published(tmp_path):
    """Git's settings that lead the public address to a repository here."""
    work = tmp_path / "published"
    shutil.copytree(
        ROOT / "utils", work / "utils", ignore=lambda *_: {"__pycache__"}
    )
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in [
        ["init", "--quiet"],
        ["add", "--all"],
        [*who, "-c", "commit.gpgsign=false", "commit", "--quiet", "-m", "x"],
        ["-c", "tag.gpgsign=false", "tag", FACTS["tag"]],
    ]:
        subprocess.run(["git", *command], cwd=work, check=True)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{work.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": FACTS["url"],
        "COLAB_RELEASE_TAG": "release",
    }


FOREIGN = """\
import utils.data
assert utils.data.foreign
"""
OURS = """\
import utils.data
print(utils.data.__file__)
"""


def test_colab_fetches_the_release(tmp_path, published):
    """In an empty folder, with another utils imported; and a second time."""
    folder = tmp_path / "content"
    (folder / "utils").mkdir(parents=True)
    (folder / "utils" / "__init__.py").touch()
    (folder / "utils" / "data.py").write_text("foreign = True\n")
    cells = set_up_code()
    done = run_cells(folder, FOREIGN, *cells, OURS, *cells, OURS, **published)
    assert done.returncode == 0, done.stderr
    ours = folder / FACTS["name"] / "utils" / "data.py"
    assert done.stdout.split()[-2:] == [str(ours)] * 2
    again = run_cells(folder, *cells, OURS, COLAB_RELEASE_TAG="release")
    assert again.returncode == 0, again.stderr
    assert again.stdout.split()[-1] == str(ours)


def test_project_above_is_found(tmp_path):
    shutil.copytree(ROOT / "utils", tmp_path / "utils")
    folder = tmp_path / "notebooks" / "mine"
    folder.mkdir(parents=True)
    done = run_cells(folder, *set_up_code(), OURS)
    assert done.returncode == 0, done.stderr
    ours = tmp_path / "utils" / "data.py"
    assert done.stdout.split()[-1] == str(ours)


def test_installed_project(tmp_path):
    """As where an instructor grades: no project in the folder or above."""
    cells = [set_up_code()[0], "import utils.exercises"]
    assert run_cells(tmp_path, *cells).returncode == 0
    foreign = tmp_path / "utils"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("")
    done = run_cells(tmp_path, *cells)
    assert done.returncode == 1 and "no folder utils" in done.stderr


def test_neither_project_nor_colab(tmp_path):
    done = run_cells(tmp_path, *set_up_code(), flags=["-E", "-S"])
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("FileNotFoundError: There is no folder utils in")
    assert FACTS["url"] in last
