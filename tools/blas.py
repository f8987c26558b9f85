"""Run the lessons on other kernels of OpenBLAS: does each number hold?

    python -m tools.blas            all lessons
    python -m tools.blas 01 02      some

OpenBLAS adds in another order on each kind of processor, and with another
number of threads. A cell agrees where it runs and, if it is tagged so, prints
what is stored. NumPy's and SciPy's own packages have OpenBLAS on Linux and
Windows; macOS may use Accelerate, which hears of none of this.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from tools.notebooks import ROOT, find_lessons
from tools.run import choose

SETTINGS = {
    "Haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "Prescott": {"OPENBLAS_CORETYPE": "Prescott"},
    "one thread": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
}


def run_lessons(
    env: Mapping[str, str], python: str | Path, lessons: Iterable[Path]
) -> tuple[int, list[str]]:
    """Run lessons by nbval, in a Python and with variables of environment.

    Parameters
    ----------
    env : mapping of str to str
        Variables, beside those of this process.
    python : str or Path
        A Python that has pytest, nbval and what the lessons import.
    lessons : iterable of Path

    Returns
    -------
    agree : int
        Number of cells that run and print what is stored.
    differ : list of str
        Lesson and number of each cell that does not.

    Raises
    ------
    RuntimeError
        If pytest ran no cell; the message is its output.
    """
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [python, "-m", "pytest", "-c", ROOT / "pyproject.toml"]
        command += [f"--junitxml={report}", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [str(word) for word in [*command, *lessons]],
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stdout)
        cells = list(ElementTree.parse(report).iter("testcase"))
    differ = [f"{c.get('classname')} {c.get('name')}" for c in cells if len(c)]
    return len(cells) - len(differ), differ


def main(arguments):
    """Print, for each setting, how many cells agree, and which do not."""
    paths = {path.stem: path for path in find_lessons()}
    lessons = [paths[name] for name in choose(list(paths), arguments)]
    print(f"{'setting':12} agree differ")
    failed = False
    for name, env in SETTINGS.items():
        agree, differ = run_lessons(env, sys.executable, lessons)
        print(f"{name:12} {agree:5} {len(differ):6}", *differ, sep="\n    ")
        failed = failed or bool(differ)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
