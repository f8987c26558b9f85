"""The project's address and version, and what leads a reader to them.

pyproject.toml holds both; badges and set-up cells are made of them.
"""

import tomllib
from pathlib import Path
from urllib.parse import quote

SETUP = """\
# Set-up, the same in each lesson: find the project; on Colab, fetch it first.
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

for module in [m for m in sys.modules if m.split(".")[0] == "utils"]:
    del sys.modules[module]  # another project's utils, or an older copy
home = "{url}"
here = Path.cwd()
places = [here, *here.parents, here / "{name}"]
installed = importlib.util.find_spec("utils")
if installed and installed.origin:
    places.append(Path(installed.origin).parents[1])
found = [p for p in places if (p / "utils" / "lesson.mplstyle").is_file()]
if not found and "COLAB_RELEASE_TAG" in os.environ:
    clone = ["git", "clone", "--quiet", "--depth=1", "--branch={tag}"]
    found = [here / "{name}"]
    subprocess.run([*clone, home, found[0]], check=True)
if not found:
    raise FileNotFoundError(
        f"There is no folder utils in {{here}} or above it. "
        f"Open this notebook inside a copy of the whole project: {{home}}"
    )
sys.path.insert(0, str(found[0]))"""


def read_project(root: Path) -> dict[str, str]:
    """Address, repository name and release tag, from pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    url = project["project"]["urls"]["Repository"].rstrip("/")
    return {
        "url": url,
        "repository": url.removeprefix("https://github.com/"),
        "name": url.rsplit("/", 1)[-1],
        "tag": "v" + project["project"]["version"],
    }


def badges(path: str, facts: dict[str, str]) -> str:
    """Binder and Colab badges that open a file, or Binder's folder view."""
    binder = f"https://mybinder.org/v2/gh/{facts['repository']}/{facts['tag']}"
    colab = "https://colab.research.google.com/github/"
    file = f"{facts['repository']}/blob/{facts['tag']}/{path}"
    badge = "https://mybinder.org/badge_logo.svg"
    line = f"[![Open on Binder]({badge})]({binder}?urlpath=lab/tree/{path})"
    if path.endswith(".ipynb"):
        badge = "https://colab.research.google.com/assets/colab-badge.svg"
        line += f" [![Open in Colab]({badge})]({colab}{quote(file)})"
    return line
