"""Run the lessons with other versions of what they need: do numbers hold?

    python -m tools.versions                 lowest, colab and newest
    python -m tools.versions lowest 01 02    one, and some of the lessons

Each has an environment of its own, made anew in build/versions/.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tools.blas import run_lessons
from tools.notebooks import ROOT, find_lessons
from tools.run import choose

COLAB = [  # what Colab had in autumn 2026; its Python may be a newer one
    "keras==3.13.2",
    "jax==0.7.2",
    "numpy==2.1.3",
    "scipy==1.16.3",
    "matplotlib==3.10.0",
    "scikit-learn==1.6.1",
    "ipywidgets==7.7.1",
]


def lowest(root: Path = ROOT) -> list[str]:
    """The lowest versions that pyproject.toml allows, each as a pin."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    asked = project["project"]["dependencies"]
    asked = [*asked, *extras["scale"], *extras["coding"]]
    found = []
    for requirement in map(Requirement, asked):
        [bound] = requirement.specifier
        found.append(f"{requirement.name}=={bound.version}")
    return found


def make(name: str, pins: list[str], root: Path = ROOT) -> Path:
    """An environment with these versions; returns its Python."""
    place = root / "build" / "versions" / name
    make_venv = [sys.executable, "-m", "venv", "--clear", str(place)]
    subprocess.run(make_venv, check=True)
    windows = sys.platform == "win32"
    python = place / ("Scripts/python.exe" if windows else "bin/python")
    asked = place / "pins.txt"
    asked.write_text("\n".join(pins))
    what = ["-c", str(asked), "-e", f"{root}[scale,coding,test]"]
    install = [str(python), "-m", "pip", "install", "--quiet", *what]
    subprocess.run(install, check=True)
    return python


def main(arguments):
    """Print, for each set of versions, the cells that agree or do not."""
    sets = {"lowest": lowest(), "colab": COLAB, "newest": []}
    wanted = [word for word in arguments if word in sets] or list(sets)
    numbers = [word for word in arguments if word not in sets]
    paths = {path.stem: path for path in find_lessons()}
    lessons = [paths[name] for name in choose(list(paths), numbers)]
    failed = False
    for name in wanted:
        python = make(name, sets[name])
        agree, differ = run_lessons({}, python, lessons)
        print(f"{name:8} {agree:5} agree {len(differ):4} differ", *differ)
        failed = failed or bool(differ)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
