"""What the project declares is true: pins, data files, YAML, benchmarks."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
YAML = [
    ROOT / "environment.yml",
    ROOT / ".pre-commit-config.yaml",
    *sorted((ROOT / ".github").rglob("*.yml")),
]
BENCHMARKS = [
    path.stem
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if path.stem != "__init__"
]


def declared():
    """Requirements of pyproject.toml, extras included."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    groups = [PROJECT["project"]["dependencies"], *extras]
    return [Requirement(line) for group in groups for line in group]


@pytest.mark.parametrize("requirement", declared(), ids=lambda r: r.name)
def test_pin_satisfies_the_bound(requirement):
    name = canonicalize_name(requirement.name)
    pins = [pin for pin in PINS if pin.name == name]
    assert pins, f"{name} is not in requirements.txt: make lock"
    for pin in pins:
        version = str(pin.specifier).removeprefix("==")
        assert requirement.specifier.contains(version, prereleases=True)


@pytest.mark.parametrize("file", sorted(ROOT.glob("requirements*.txt")))
def test_a_lock_holds_versions_and_no_address(file):
    text = file.read_text("utf-8")
    assert "://" not in text and not re.search(r"(?m)^-", text)


def test_each_data_file_goes_into_the_package():
    table = PROJECT["tool"]["setuptools"]
    folders = [p.parent for p in (ROOT / "utils").rglob("__init__.py")]
    names = [".".join(p.relative_to(ROOT).parts) for p in folders]
    assert sorted(names) == sorted(table["packages"])
    for name, folder in zip(names, folders, strict=True):
        patterns = table["package-data"].get(name, [])
        for path in folder.iterdir():
            if path.is_file() and path.suffix != ".py":
                assert any(map(path.match, patterns)), path


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_can_be_read(path):
    assert isinstance(yaml.safe_load(path.read_text("utf-8")), dict)


def test_conda_and_ci_use_a_python_that_fits():
    def read(path):
        return yaml.safe_load((ROOT / path).read_text("utf-8"))

    jobs = read(".github/workflows/test.yml")["jobs"].values()
    matrices = [job.get("strategy", {}).get("matrix", {}) for job in jobs]
    tested = {v for matrix in matrices for v in matrix.get("python", [])}
    least = PROJECT["project"]["requires-python"].removeprefix(">= ")
    assert min(tested, key=lambda v: int(v[2:])) == least
    conda = read("environment.yml")["dependencies"][0]
    assert conda.removeprefix("python=") in tested


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_can_be_imported(name):
    """In a Python of its own, since it may set threads and paths."""
    module = f"benchmarks.{name}"
    code = f"import importlib; importlib.import_module({module!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
