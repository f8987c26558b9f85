"""The project's address and version, and what leads a reader to them.

pyproject.toml holds both; badges and set-up cells are made of them.
"""

import tomllib
from pathlib import Path
from urllib.parse import quote

SETUP = """\
# @title Set-up: run this first. It finds the project; on Colab, it fetches it.
import os
import sys

clone = "git clone -q --depth=1 -b {tag} {url}"
places = ["../" * n + "." for n in range(9)] + clone.split("/")[-1:] + sys.path
found = [p for p in places if os.path.exists(f"{{p}}/utils/lesson.mplstyle")]
if not found and "COLAB_RELEASE_TAG" in os.environ and os.system(clone) == 0:
    found = clone.split("/")[-1:]
assert found, f"No project found; online, in an empty folder, run: {{clone}}"
[sys.modules.pop(m) for m in [*sys.modules] if m.split(".")[0] == "utils"]
sys.path.insert(0, os.path.abspath(found[0]))"""
IN_PAGE = {"01", "02", "03", "04", "05"}  # lessons that a browser can run
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}


def lite_link(path: str) -> str:
    """Address, from the root of the site, that opens a notebook to run."""
    return f"lite/notebooks/index.html?path={path}"


def read_project(root: Path) -> dict[str, str]:
    """Addresses, repository name and release tag, from pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    url = project["project"]["urls"]["Repository"].rstrip("/")
    repository = url.removeprefix("https://github.com/")
    owner, name = repository.split("/")
    return {
        "url": url,
        "site": f"https://{owner.lower()}.github.io/{name}",  # its Pages
        "repository": repository,
        "name": name,
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
