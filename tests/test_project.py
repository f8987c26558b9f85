"""The set-up cell finds the project, or fetches it, or says what to do."""

import os
import shutil
import subprocess
import sys
import venv

import pytest
from rules import code_lines

from tools.notebooks import ROOT
from tools.project import SETUP, read_project

FACTS = read_project(ROOT)
CELLS = SETUP.format(**FACTS), "import utils.checks"
ALONE = {"PYTHONPATH": ""}  # no project on Python's path
NOT_INSTALLED = """\
import os, sys
here = "utils/lesson.mplstyle"
sys.path[:] = [p for p in sys.path if not os.path.exists(f"{p}/{here}")]
"""


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


def copy_project(root):
    """Copy what the cell looks for and a module, and say where that is."""
    (root / "utils").mkdir(parents=True)
    for name in ["__init__.py", "checks.py", "lesson.mplstyle"]:
        shutil.copy(ROOT / "utils" / name, root / "utils")
    return str(root / "utils" / "checks.py")


@pytest.fixture
def published(tmp_path):
    """Git's settings that lead the public address to a repository here."""
    work = tmp_path / "published"
    copy_project(work)
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
import utils.checks
assert utils.checks.foreign
"""
OURS = """\
import utils.checks
print(utils.checks.__file__)
"""


def test_colab_fetches_the_release(tmp_path, published):
    """In an empty folder, with another utils imported; and a second time."""
    folder = tmp_path / "content"
    (folder / "utils").mkdir(parents=True)
    (folder / "utils" / "__init__.py").touch()
    (folder / "utils" / "checks.py").write_text("foreign = True\n")
    published |= ALONE
    cells = NOT_INSTALLED, FOREIGN, *CELLS, OURS, *CELLS, OURS
    done = run_cells(folder, *cells, **published)
    assert done.returncode == 0, done.stderr
    ours = folder / FACTS["name"] / "utils" / "checks.py"
    assert done.stdout.split()[-2:] == [str(ours)] * 2
    cells = NOT_INSTALLED, *CELLS, OURS
    again = run_cells(folder, *cells, **ALONE, COLAB_RELEASE_TAG="r")
    assert again.returncode == 0, again.stderr
    assert again.stdout.split()[-1] == str(ours)


@pytest.mark.parametrize("spoil", ["folder", "network", "tag", "no git"])
def test_colab_says_what_went_wrong(tmp_path, published, spoil):
    """Git's own words, and then one sentence."""
    folder = tmp_path / "content"
    folder.mkdir()
    if spoil == "folder":
        (folder / FACTS["name"] / "mine").mkdir(parents=True)
        says = "already exists"
    elif spoil == "network":
        shutil.rmtree(tmp_path / "published")
        says = "does not appear to be a git"
    elif spoil == "tag":
        work = tmp_path / "published"
        subprocess.run(["git", "tag", "-d", FACTS["tag"]], cwd=work)
        says = "not found in upstream"
    else:
        published["PATH"], says = str(tmp_path), "not found"
    done = run_cells(folder, *CELLS, **ALONE | published, flags=["-S"])
    assert done.returncode == 1
    assert says in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("AssertionError: No project found")
    assert "CalledProcessError" not in done.stderr


def other_utils(folder, kind="module"):
    """Another project's utils."""
    if kind == "module":
        (folder / "utils.py").write_text("raise RuntimeError('foreign')\n")
    else:
        (folder / "utils").mkdir()
        (folder / "utils" / "__init__.py").write_text("")


@pytest.mark.parametrize("kind", ["module", "package"])
@pytest.mark.parametrize("place", ["", "notebooks/exercises"])
def test_project_above_is_found(tmp_path, place, kind):
    """With another utils beside the notebook and on PYTHONPATH; on Colab
    nothing is fetched then."""
    root = tmp_path / "project"
    ours, folder = copy_project(root), root / place / "mine"
    folder.mkdir(parents=True)
    other_utils(folder, kind)
    other_utils(tmp_path, kind)
    done = run_cells(
        folder,
        *CELLS,
        OURS,
        PYTHONPATH=str(tmp_path),
        COLAB_RELEASE_TAG="release",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == ours
    assert not (folder / FACTS["name"]).exists()


@pytest.mark.parametrize("kind", ["module", "package"])
@pytest.mark.parametrize("how", ["copied", "editable"])
def test_installed_project(tmp_path, monkeypatch, how, kind):
    """As where an instructor grades: no project in the folder or above."""
    place = tmp_path / "environment"
    venv.create(place, symlinks=os.name != "nt", system_site_packages=True)
    packages = next(place.rglob("site-packages"))
    here = [p for p in sys.path if p.endswith("site-packages")]
    if how == "copied":
        ours = copy_project(packages)
    else:
        ours = copy_project(tmp_path / "project")
        here.insert(0, str(tmp_path / "project"))
    (packages / "installed.pth").write_text("\n".join(here))
    folder, path = tmp_path / "submitted" / "ada", tmp_path / "path"
    folder.mkdir(parents=True)
    path.mkdir()
    other_utils(folder, kind)
    other_utils(path, kind)
    python = place / (
        "Scripts/python.exe" if os.name == "nt" else "bin/python"
    )
    monkeypatch.setattr(sys, "executable", str(python))
    done = run_cells(folder, *CELLS, OURS, PYTHONPATH=str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == ours


def test_neither_project_nor_colab(tmp_path):
    done = run_cells(tmp_path, *CELLS, flags=["-E", "-S"])
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("AssertionError: No project found; online, in an")
    assert f"run: git clone -q --depth=1 -b {FACTS['tag']}" in last
    assert last.endswith(FACTS["url"])


def test_the_cell_has_at_most_ten_lines():
    assert code_lines(CELLS[0]) <= 10
    assert CELLS[0].startswith("# @title ")  # what Colab shows of it
