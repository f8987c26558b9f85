"""The set-up cell finds the project, or fetches it, or says what to do."""

import os
import shutil
import subprocess
import sys

import pytest

from tools.notebooks import ROOT
from tools.project import SETUP, read_project

FACTS = read_project(ROOT)
CELLS = SETUP.format(**FACTS), "import utils.plotting"


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
    done = run_cells(folder, FOREIGN, *CELLS, OURS, *CELLS, OURS, **published)
    assert done.returncode == 0, done.stderr
    ours = folder / FACTS["name"] / "utils" / "data.py"
    assert done.stdout.split()[-2:] == [str(ours)] * 2
    again = run_cells(folder, *CELLS, OURS, COLAB_RELEASE_TAG="release")
    assert again.returncode == 0, again.stderr
    assert again.stdout.split()[-1] == str(ours)


def test_project_above_is_found(tmp_path):
    shutil.copytree(ROOT / "utils", tmp_path / "utils")
    folder = tmp_path / "notebooks" / "mine"
    folder.mkdir(parents=True)
    done = run_cells(folder, *CELLS, OURS)
    assert done.returncode == 0, done.stderr
    ours = tmp_path / "utils" / "data.py"
    assert done.stdout.split()[-1] == str(ours)


def test_installed_project(tmp_path):
    """As where an instructor grades: no project in the folder or above."""
    assert run_cells(tmp_path, *CELLS).returncode == 0
    foreign = tmp_path / "utils"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("")
    done = run_cells(tmp_path, *CELLS)
    assert done.returncode == 1 and "no folder utils" in done.stderr


def test_neither_project_nor_colab(tmp_path):
    done = run_cells(tmp_path, *CELLS, flags=["-E", "-S"])
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("FileNotFoundError: There is no folder utils in")
    assert FACTS["url"] in last
