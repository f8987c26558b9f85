"""Set-up: one clear line where it cannot start, and one that mends itself."""

import ast
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tools import setup
from tools.notebooks import code_cells, read

ROOT = Path(__file__).resolve().parents[1]
ALL_STEPS = ["venv", "install"]


def test_old_python_can_read_the_script():
    source = (ROOT / "tools" / "setup.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 6))


def copy_of_script(folder):
    """Path of the script in a project of its own."""
    (folder / "tools").mkdir()
    (folder / "requirements.txt").touch()
    return shutil.copy(setup.__file__, folder / "tools")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("sys.version_info = (3, 10)", ["3.11 or newer", "make run PYTHON="]),
        ("sys.modules['ensurepip'] = None", ["module ensurepip", "-venv"]),
        ("sys.modules['venv'] = None", ["module venv", "-venv"]),
    ],
)
def test_one_clear_line(tmp_path, before, words):
    script = copy_of_script(tmp_path)
    code = f"import runpy, sys; {before}; "
    code += f"runpy.run_path({script!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert all(word in done.stderr for word in words)
    assert not (tmp_path / ".venv").exists()


def make_file(place):
    place.touch()


def make_dangling_link(place):
    place.symlink_to("nowhere")


@pytest.mark.parametrize("spoil", [make_file, make_dangling_link])
def test_what_is_no_folder_is_named(tmp_path, spoil):
    script = copy_of_script(tmp_path)
    spoil(tmp_path / ".venv")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"{tmp_path / '.venv'} must be a folder: delete" in done.stderr


def test_a_folder_without_rights_is_named(tmp_path):
    """A stand-in for its rights, since root may write anywhere."""
    script = copy_of_script(tmp_path)
    code = "import errno, pathlib, runpy\n"
    code += "def mkdir(self, *_, **__):\n"
    code += "    raise OSError(errno.EROFS, 'Read-only file system', self)\n"
    code += f"pathlib.Path.mkdir = mkdir\nrunpy.run_path({script!r}, None, "
    code += "'__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"Read-only file system: {tmp_path / '.venv'}" in done.stderr


def settle(patch, root):
    """Set up in a folder."""
    place = root / ".venv"
    python = place / Path(setup.PYTHON).relative_to(setup.VENV)
    patch.setattr(setup, "ROOT", root)
    patch.setattr(setup, "VENV", place)
    patch.setattr(setup, "PYTHON", python)
    patch.setattr(setup, "READY", place / ".ready")


class Project:
    """A folder to set up. Its pip is a stand-in, which needs no network."""

    def __init__(self, patch, root):
        self.patch, self.steps, self.stop = patch, [], None
        self.settle(root)
        (root / "requirements.txt").write_text("numpy==2.0\n")
        patch.setattr(setup, "run", self.run)
        patch.setattr(setup, "install", lambda *what: self.install())

    def settle(self, root):
        """Be in a folder."""
        self.root = root
        settle(self.patch, root)

    def run(self, *command, **options):
        if "venv" not in command:
            return subprocess.run(command, **options).returncode
        venv.create(command[-1], clear=True, symlinks=os.name != "nt")
        packages = "Lib/site-packages" if os.name == "nt" else "lib/*/site-*"
        (next(Path(command[-1]).glob(packages)) / "pip.py").touch()
        return self.step("venv")

    def install(self):
        return "pip failed" if self.step("install") else ""

    def step(self, name):
        self.steps.append(name)
        return int(name == self.stop)

    def set_up(self):
        """Set up where it is needed; the steps taken."""
        self.steps.clear()
        if not setup.is_ready():
            setup.set_up()
        return self.steps


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    return Project(monkeypatch, tmp_path / "here")


def test_set_up_runs_once(project, capsys):
    assert project.set_up() == ALL_STEPS
    assert "Set-up done" in capsys.readouterr().out
    assert project.set_up() == []


@pytest.mark.parametrize("stop", ALL_STEPS)
def test_cut_off_set_up_is_taken_up_again(project, stop):
    project.stop = stop
    with pytest.raises(SystemExit, match="next call"):
        project.set_up()
    project.stop = None
    assert project.set_up() == ALL_STEPS
    assert project.set_up() == []


def change_requirements(project):
    with open(project.root / "requirements.txt", "a") as file:
        file.write("scipy==1.13\n")


def move(project):
    there = project.root.with_name("there")
    project.root.rename(there)
    project.settle(there)


def remove_python(project):
    for python in (project.root / ".venv" / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("removed")


def put_another_python(project):
    """As when Debian replaces 3.12 by 3.13: packages are not found."""
    lib = next((project.root / ".venv" / "lib").glob("python3*"))
    lib.rename(lib.with_name("python3.0"))


@pytest.mark.parametrize(
    "change", [change_requirements, move, remove_python, put_another_python]
)
def test_what_does_not_fit_is_made_anew(project, change):
    if os.name == "nt" and "python" in change.__name__:
        pytest.skip("a Python on Windows is a copy")
    project.set_up()
    change(project)
    assert project.set_up() == ALL_STEPS
    assert project.set_up() == []


@pytest.mark.parametrize(
    ("settings", "uv_fails", "asked"),
    [
        (b"", 0, ["uv"]),
        (b"", 1, ["uv", "pip"]),
        (b"global.index-url='https://mirror'\n", 0, ["pip"]),
    ],
)
def test_uv_is_used_where_it_takes_nothing_away(
    monkeypatch, settings, uv_fails, asked
):
    found = []

    def run(*command, env=None):
        found.append("uv" if command[0] == "uv" else command[2])
        return uv_fails if found[-1] == "uv" else 0

    monkeypatch.setattr(setup, "run", run)
    monkeypatch.setattr(setup, "missing", lambda: "")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(
        subprocess, "check_output", lambda *_, **__: settings.decode()
    )
    assert setup.install("numpy") == ""
    assert found == asked


def test_uv_that_installs_elsewhere_is_followed_by_pip(monkeypatch):
    """As uv does that reads of another place in uv.toml."""
    asked, lacks = [], ["No module named 'numpy'", ""]
    monkeypatch.setattr(setup, "run", lambda *c, env=None: asked.append(c[0]))
    monkeypatch.setattr(setup, "missing", lambda: lacks.pop(0))
    monkeypatch.setattr(setup, "pip_settings", dict)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert setup.install("numpy") == ""
    assert asked == ["uv", setup.PYTHON]


def test_nothing_is_done_before_it_can_be_imported(tmp_path, monkeypatch):
    """pip says that all went well, and has installed elsewhere."""
    settle(monkeypatch, tmp_path)
    monkeypatch.setattr(setup, "run", lambda *command, **_: 0)
    monkeypatch.setattr(setup, "pip_settings", dict)
    venv.create(tmp_path / ".venv", symlinks=os.name != "nt")
    with pytest.raises(SystemExit, match="No module named 'distributed'"):
        setup.set_up()
    assert not setup.READY.exists() and not setup.is_ready()


def test_what_lessons_import_is_checked():
    cells = "\n".join(
        cell.source
        for path in (ROOT / "notebooks").rglob("*.ipynb")
        for cell in code_cells(read(path))
    )
    found = re.findall(r"(?m)^ *(?:import|from) (\w+)", cells)
    wanted = set(found) - set(sys.stdlib_module_names)
    assert {"numpy", "keras", "utils"} <= wanted
    assert wanted <= set(re.findall(r"\w+", setup.CHECK))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A Python with pip, and a package of one module for it."""
    folder = tmp_path_factory.mktemp("tiny")
    wheel = folder / "tiny-1-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n"
    kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "")
        file.writestr("tiny-1.dist-info/METADATA", about)
        file.writestr("tiny-1.dist-info/WHEEL", kind)
        file.writestr("tiny-1.dist-info/RECORD", "")
    pip = pytest.importorskip("pip")
    venv.create(folder / ".venv", symlinks=os.name != "nt")
    packages = next((folder / ".venv").rglob("site-packages"))
    (packages / "pip.pth").write_text(str(Path(pip.__file__).parents[1]))
    return folder, wheel


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIP_TARGET", "elsewhere"),
        ("pip.conf", "[install]\nuser = true\n[global]\nprefix = elsewhere\n"),
        ("PYTHONPATH", "another"),
    ],
)
def test_settings_of_pip_do_not_lead_elsewhere(
    tiny, tmp_path, monkeypatch, name, value
):
    folder, wheel = tiny
    settle(monkeypatch, folder)
    monkeypatch.setattr(setup, "CHECK", "import tiny")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "another").mkdir()
    shutil.unpack_archive(wheel, tmp_path / "another", "zip")
    if name == "pip.conf":
        (tmp_path / name).write_text(value)
        name, value = "PIP_CONFIG_FILE", str(tmp_path / name)
    monkeypatch.setenv(name, value)
    assert setup.install("--no-index", "--force-reinstall", wheel) == ""
    assert not (tmp_path / "elsewhere").exists()
    for path in (folder / ".venv").rglob("tiny.py"):
        path.unlink()


@pytest.mark.slow
def test_settings_of_pip_that_are_needed_are_kept(tiny, tmp_path, monkeypatch):
    settle(monkeypatch, tiny[0])
    for variable in [v for v in os.environ if v.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://a.example\nproxy = p\ntarget = t\n"
        "[install]\nindex-url = https://b.example\nfind-links =\n  x\n  y\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_PROXY", "q")
    monkeypatch.setenv("PIP_PREFIX", "r")
    found = setup.pip_settings()
    assert found["PIP_INDEX_URL"] == "https://b.example"
    assert found["PIP_PROXY"] == "q"
    assert found["PIP_FIND_LINKS"].split() == ["x", "y"]
    assert not {"PIP_TARGET", "PIP_PREFIX"} & set(found)


needs_make = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("make"), reason="there is no make"
)


def make(*arguments, **options):
    """Run make, as if from a shell; what it printed."""
    environ = {k: v for k, v in os.environ.items() if "MAKE" not in k}
    return subprocess.run(
        [shutil.which("make"), *arguments],
        **{"env": environ, "cwd": ROOT} | options,
        capture_output=True,
        text=True,
    )


@needs_make
@pytest.mark.parametrize(
    ("pythons", "says"),
    [
        ({}, "python3"),  # not found
        ({"python3": "*ensurepip*"}, "python3 runs tools/setup.py"),
        (
            {"python3": "*ensurepip*", "python3.12": "no"},
            "python3.12 runs tools/setup.py",
        ),
        ({"python3": "no", "python3.12": "no"}, "python3 runs tools/setup.py"),
    ],
)
def test_make_chooses_a_python(tmp_path, pythons, says):
    """Each stand-in fails the -c checks that name a word."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name, fails_where in pythons.items():
        path = tmp_path / name
        path.write_text(
            f'#!/bin/sh\ncase "$2" in {fails_where}) exit 1;; esac\n'
            f'[ "$1" = -c ] || echo "{name} runs $1"\n'
        )
        path.chmod(0o755)
    done = make("setup", cwd=tmp_path, env={"PATH": str(tmp_path)})
    lines = (done.stdout + done.stderr).splitlines()
    assert says in lines[0]
    assert len([line for line in lines if "make:" not in line]) == 1
    assert bool(done.returncode) == (not pythons)


@needs_make
def test_help_lists_what_the_documents_name():
    listed = [line.split()[1] for line in make("help").stdout.splitlines()]
    files = [*ROOT.glob("*.md"), *ROOT.glob(".github/workflows/*.yml")]
    files.append(ROOT / ".ci" / "run")
    text = "\n".join(path.read_text("utf-8") for path in files)
    named = set(re.findall(r"(?:`|run: |exec )make (\w+)", text))
    assert {"run", "test", "check"} <= named <= set(listed)
    for target in listed:
        assert make("--dry-run", target).returncode == 0
