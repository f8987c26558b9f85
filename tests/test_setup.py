"""Set-up: one line where it cannot start, and one source for each fact."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
import setup
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
needs_make = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("make"), reason="there is no make"
)


def read_yaml(path):
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


@pytest.fixture
def tree(tmp_path):
    """Folder with the files that the set-up reads."""
    (tmp_path / "tools").mkdir()
    for name in ["requirements.txt", "pyproject.toml", "Makefile"]:
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(ROOT / "tools" / "setup.py", tmp_path / "tools")
    return tmp_path


def run_script(tree, before):
    """Run the set-up script after some code that spoils its Python."""
    code = f"import runpy, sys; {before}; sys.path = sys.path[1:]; "
    code += "runpy.run_path('tools/setup.py', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=tree, capture_output=True, text=True
    )


def test_old_python_can_read_the_script():
    source = (ROOT / "tools" / "setup.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 6))


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (
            "sys.version_info = (3, 10, 9)",
            ["3.11 or newer", "make run PYTHON="],
        ),
        ("sys.modules['ensurepip'] = None", ["ensurepip", "-venv"]),
        ("sys.modules['venv'] = None", ["no module venv", "-venv"]),
    ],
)
def test_one_clear_line(tree, before, words):
    done = run_script(tree, before)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert all(word in done.stderr for word in words)
    assert not (tree / ".venv").exists()


@pytest.fixture
def steps(monkeypatch):
    """Stand-in for the commands of the set-up: no network, no pip.

    It lists what it is asked for, and stops where `stop` is in a command.
    """

    class Steps(list):
        stop = "nothing"

        def run(self, *command):
            step = "venv" if "venv" in command else str(command[-2])
            self.append(step)
            if step == "venv":
                venv.create(command[-1], clear=True)
                root = Path(command[-1]).parent
                (setup.site_packages(root) / "pip-1.dist-info").mkdir()
            if step == self.stop:
                raise SystemExit("stopped")
            if step == "venv":
                done = setup.site_packages(root) / "pip-1.dist-info/INSTALLER"
                done.touch()

    steps = Steps()
    monkeypatch.setattr(setup, "run", steps.run)
    return steps


ALL_STEPS = ["venv", "--requirement", "--editable"]


def test_set_up_runs_once(tree, steps, capsys):
    setup.set_up(tree)
    assert steps == ALL_STEPS
    assert setup.is_ready(tree)
    assert "Set-up done" in capsys.readouterr().out


@pytest.mark.parametrize("stop", ALL_STEPS)
def test_cut_off_set_up_is_taken_up_again(tree, steps, stop):
    steps.stop = stop
    with pytest.raises(SystemExit):
        setup.set_up(tree)
    assert not setup.is_ready(tree)
    steps.stop = "nothing"
    steps.clear()
    setup.set_up(tree)
    assert steps == ALL_STEPS[0 if stop == "venv" else 1 :]
    assert setup.is_ready(tree)


def test_half_installed_package_is_installed_again(tree, steps):
    setup.set_up(tree)
    half = setup.site_packages(tree) / "half-1.0.dist-info"
    half.mkdir()
    (half / "METADATA").touch()
    setup.set_up(tree)
    assert not half.exists()


@pytest.mark.skipif(os.name == "nt", reason="there are no links to Python")
def test_removed_python_makes_a_new_venv(tree, steps):
    setup.set_up(tree)
    for python in (tree / ".venv" / "bin").glob("python*"):
        python.unlink()
        python.symlink_to(tree / "removed")
    assert not setup.is_ready(tree)
    setup.set_up(tree)
    assert steps == ALL_STEPS * 2
    assert setup.is_ready(tree)


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_changed_requirements_are_installed(tree, steps, name):
    setup.set_up(tree)
    with open(tree / name, "a") as file:
        file.write("# changed\n")
    assert not setup.is_ready(tree)
    setup.set_up(tree)
    assert steps == ALL_STEPS + ALL_STEPS[1:]


def test_moved_project_is_installed_again(tree, steps, tmp_path_factory):
    setup.set_up(tree)
    moved = tmp_path_factory.mktemp("moved") / "here"
    shutil.move(tree, moved)
    assert not setup.is_ready(moved)


def test_failing_step_gives_one_line():
    with pytest.raises(SystemExit, match="failed with code 3.*goes on"):
        setup.run(sys.executable, "-c", "raise SystemExit(3)")


def fake_python(folder, name, fails_where):
    """A python that fails the -c checks naming a word; else it says hello."""
    path = folder / name
    path.write_text(
        f'#!/bin/sh\ncase "$2" in {fails_where}) exit 1;; esac\n'
        f'[ "$1" = -c ] || echo "{name} runs $1"\n'
    )
    path.chmod(0o755)


@needs_make
@pytest.mark.parametrize(
    ("pythons", "says"),
    [
        ({}, "No Python 3.11 or newer found"),
        ({"python": "*"}, "No Python 3.11 or newer found"),
        ({"python3": "*ensurepip*"}, "python3 runs tools/setup.py"),
        (
            {"python3": "*ensurepip*", "python3.12": "no"},
            "python3.12 runs tools/setup.py",
        ),
        ({"python3": "no", "python3.12": "no"}, "python3 runs tools/setup.py"),
    ],
)
def test_make_chooses_a_python(tree, pythons, says):
    folder = tree / "bin"
    folder.mkdir()
    for name, fails_where in pythons.items():
        fake_python(folder, name, fails_where)
    done = subprocess.run(
        [shutil.which("make"), "setup"],
        cwd=tree,
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert says in lines[0]
    assert len([line for line in lines if "make:" not in line]) == 1
    assert bool(done.returncode) == says.startswith("No Python")


@needs_make
def test_help_lists_each_target():
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = re.search(r"(?m)^\.PHONY: (.*)$", text)[1].split()
    assert targets == re.findall(r"(?m)^([a-z]+):", text)
    assert {"run", "refresh", "test", "lab", "bench", "sync"} < set(targets)
    environ = {k: v for k, v in os.environ.items() if "MAKE" not in k}
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert [line.split()[1] for line in done.stdout.splitlines()] == targets


def test_conda_environment_repeats_nothing():
    environment = read_yaml("environment.yml")
    assert list(environment) == ["name", "channels", "dependencies"]
    assert environment["name"] == PROJECT["project"]["name"]
    assert environment["channels"] == ["conda-forge"]
    python, *rest = environment["dependencies"]
    assert rest == ["pip", {"pip": ["-r requirements.txt", "-e ."]}]
    name, version = python.split("=")
    assert name == "python"
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(
        version
    )
    assert version in python_matrix()


def python_matrix():
    """Versions of Python that continuous integration tests."""
    jobs = read_yaml(".github/workflows/test.yml")["jobs"]
    return jobs["pinned"]["strategy"]["matrix"]["python"]


def test_workflows_cover_the_supported_pythons():
    minors = [int(version.removeprefix("3.")) for version in python_matrix()]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert PROJECT["project"]["requires-python"] == f">= 3.{minors[0]}"
    tried = re.findall(r"python3\.(\d+)", (ROOT / "Makefile").read_text())
    assert sorted(map(int, tried)) == minors
    events = read_yaml(".github/workflows/test.yml")[True]  # YAML's "on"
    assert {"push", "pull_request", "schedule"} <= set(events)
    pages = str(read_yaml(".github/workflows/pages.yml")["jobs"])
    assert "make run" in pages and "build/lessons" in pages


def declared():
    """Requirements of pyproject.toml, extras included."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    groups = [PROJECT["project"]["dependencies"], *extras]
    return [Requirement(line) for group in groups for line in group]


def test_each_dependency_is_declared_once():
    names = [canonicalize_name(r.name) for r in declared()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r">=[\d.]+", str(r.specifier)) for r in declared())


@pytest.mark.parametrize("requirement", declared(), ids=lambda r: r.name)
def test_pin_satisfies_the_bound(requirement):
    name = canonicalize_name(requirement.name)
    pins = [pin for pin in PINS if pin.name == name]
    assert pins, f"{name} is not in requirements.txt: make lock"
    for pin in pins:
        version = str(pin.specifier).removeprefix("==")
        assert requirement.specifier.contains(version, prereleases=True)


def test_requirements_are_pinned_without_an_address():
    text = (ROOT / "requirements.txt").read_text("utf-8")
    assert "://" not in text and not re.search(r"(?m)^-", text)
    for pin in PINS:
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), pin


def test_package_is_named_with_its_data():
    tables = PROJECT["tool"]["setuptools"]
    assert tables["packages"] == ["utils"]
    patterns = tables["package-data"]["utils"]
    data = [p for p in (ROOT / "utils").iterdir() if p.is_file()]
    data = [p for p in data if p.suffix != ".py"]
    assert all(any(p.match(pattern) for pattern in patterns) for p in data)


def test_ci_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert "make test" in script.read_text("utf-8")
    assert os.name == "nt" or os.access(script, os.X_OK)
