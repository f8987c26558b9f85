"""Lessons 01 to 05 to run in a browser's page, by JupyterLite and Pyodide.

`build/site/lite` is made of files only: a web server that hands them out is
enough. Python in the page is Pyodide, which has the compiled libraries; it
comes from its public address, as JupyterLite does by default, or from a copy
beside the lessons, so that no other host is asked:

    LITE_PYODIDE=folder python -m tools.lite

where folder is Pyodide's release, unpacked: `pyodide-X.tar.bz2` of
https://github.com/pyodide/pyodide/releases, of the version that
`PYODIDE_VERSION` names. What is pure Python (utils, IPython, ipywidgets)
comes as wheels made of what is installed here.

    python -m tools.lite --check --pyodide folder

builds, runs each lesson in Chromium with every other host out of reach,
compares what its cells print with what is stored, and writes how long it took
to site/lite.json.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from importlib.metadata import distribution
from pathlib import Path

from jupyterlite_pyodide_kernel.constants import (
    PYODIDE_KERNEL_PLUGIN_ID,
    PYODIDE_VERSION,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.notebooks import ROOT, find_lessons, read, write
from tools.project import read_project

N_LESSONS = 5
SECONDS = ROOT / "site" / "lite.json"
COMPILED = ["numpy", "scipy", "matplotlib", "scikit-learn", "micropip"]
PURE = ["ipywidgets", "ipython", "jedi", "comm"]
SHIMS = {"jupyterlab-widgets", "widgetsnbextension"}  # no Python in them
EXTENSIONS = [
    "@jupyterlite/pyodide-kernel-extension",
    "@jupyter-widgets/jupyterlab-manager",
]
PAGE = {"sys_platform": "emscripten", "python_version": "3.14"}
CORE = [
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
]
# from the kernel's worker, which asks for the wheels, to the root of the site
UP = "../" * 4
# what threadpoolctl causes in each cell that uses scikit-learn
QUIET = "ignore:JsProxy.as_object_map() is deprecated"
EPOCH = 315532800  # 1980: zip knows no earlier time


def lite_lessons() -> list[Path]:
    """Paths of the lessons that run in the page."""
    return find_lessons()[:N_LESSONS]


def write_wheel(
    folder: Path, name: str, version: str, files: dict[str, bytes]
) -> str:
    """Write a wheel of pure Python; the same files give the same bytes.

    Parameters
    ----------
    folder : Path
    name, version : str
    files : dict of bytes
        By their path in the wheel.

    Returns
    -------
    str
        Name of the wheel.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    files = files | {
        f"{info}/METADATA": files.get(f"{info}/METADATA")
        or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tools.lite\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, data in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        record += f"{path},sha256={digest.decode().rstrip('=')},{len(data)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(folder / wheel, "w", zipfile.ZIP_DEFLATED) as file:
        for path, data in sorted(files.items()):
            file.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    return wheel


def write_utils(folder: Path) -> str:
    """Write `utils`, digits included, as a wheel; its name."""
    project = read_project(ROOT)
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / "utils").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return write_wheel(folder, "utils", project["tag"][1:], files)


def write_installed(folder: Path, name: str) -> str:
    """Write a library that is installed here as a wheel; its name."""
    found = distribution(name)
    files = {
        str(path): path.locate().read_bytes()
        for path in found.files or []
        if ".." not in path.parts
        and "__pycache__" not in path.parts
        and path.name not in ("RECORD", "INSTALLER", "REQUESTED", "WHEEL")
        and path.suffix not in (".so", ".pyd")  # what only makes it faster
    }
    info = next(p for p in files if p.endswith(".dist-info/METADATA"))
    stem = info.split(".dist-info")[0]
    return write_wheel(folder, *stem.rsplit("-", 1), files)


def needed(names: list[str]) -> list[str]:
    """These libraries and all that they need in the page, sorted."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = canonicalize_name(todo.pop())
        if name in found | SHIMS:
            continue
        found.add(name)
        for line in distribution(name).requires or []:
            need = Requirement(line)
            if not need.marker or need.marker.evaluate({"extra": "", **PAGE}):
                todo.append(need.name)
    return sorted(found)


def write_contents(folder: Path) -> None:
    """Write what the reader finds: lessons, their exercises, notation.

    Links to files that are not among them lead to the repository.
    """
    source = ROOT / "notebooks"
    lessons = [path.relative_to(source) for path in lite_lessons()]
    paths = [*lessons, *(Path("exercises", path) for path in lessons)]
    pictures = [Path("pictures", path.stem + ".png") for path in lessons]
    facts = read_project(ROOT)
    there = {path.as_posix() for path in [*paths, *pictures]} | {"notation.md"}

    for path in [*pictures, Path("notation.md")]:
        (folder / path).parent.mkdir(exist_ok=True, parents=True)
        shutil.copyfile(source / path, folder / path)
    for path in paths:

        def lead(link, path=path):
            target = (source / path.parent / link[1]).resolve()
            if os.path.relpath(target, source) in there:
                return link[0]
            file = target.relative_to(ROOT).as_posix()
            return f"]({facts['url']}/blob/{facts['tag']}/{file}"

        notebook = read(source / path)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                link = r"\]\((?![a-z]+:|#)([^)#\s]+)"
                badges = r"(?m)^\[!\[Open on Binder.*\n"
                cell.source = re.sub(link, lead, cell.source)
                cell.source = re.sub(badges, "", cell.source)
        (folder / path).parent.mkdir(exist_ok=True)
        write(notebook, folder / path)


def copy_pyodide(source: Path, out: Path) -> None:
    """Copy what the lessons need of Pyodide's release, and its lock.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a wheel is not the one that the lock names.
    """
    lock = json.loads((source / "pyodide-lock.json").read_text("utf-8"))
    found: dict[str, dict] = {}
    todo = list(COMPILED)
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in found:
            found[name] = lock["packages"][name]
            todo += found[name]["depends"]
    out.mkdir(parents=True)
    for name in CORE:
        shutil.copyfile(source / name, out / name)
    for entry in found.values():
        data = (source / entry["file_name"]).read_bytes()
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise ValueError(
                f"{source / entry['file_name']} is damaged: its sha256 is "
                f"not the one of pyodide-lock.json"
            )
        (out / entry["file_name"]).write_bytes(data)
    lock["packages"] = found
    text = json.dumps(lock, indent=1, sort_keys=True)
    (out / "pyodide-lock.json").write_text(text + "\n", encoding="utf-8")


def build_lite(out: Path, pyodide: Path | None = None) -> None:
    """Build the site of lessons that run in the page; no network is needed.

    Parameters
    ----------
    out : Path
        Folder of the site; what is in it is lost.
    pyodide : Path, optional
        Folder of Pyodide's release, which is copied into the site. Without
        it, the page takes Pyodide from its public address.

    Raises
    ------
    FileNotFoundError
        If the folder lacks a file.
    RuntimeError
        If JupyterLite fails; the message ends with what it said.
    """
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_contents(work / "files")
        static = work / "wheels"
        static.mkdir()
        wheels = [write_installed(static, name) for name in needed(PURE)]
        wheels.append(write_utils(static))
        settings: dict = {
            "loadPyodideOptions": {
                "packages": COMPILED + [f"{UP}wheels/{w}" for w in wheels],
                "env": {"PYTHONWARNINGS": QUIET},
            }
        }
        if pyodide:
            settings["pyodideUrl"] = "./pyodide/pyodide.mjs"
            settings["disablePyPIFallback"] = True
        config = {
            "appName": "Gentle Generative Modelling",
            "exposeAppInBrowser": "true",  # for `--check`
            "litePluginSettings": {PYODIDE_KERNEL_PLUGIN_ID: settings},
        }
        _write_json(
            work / "jupyter-lite.json",
            {"jupyter-lite-schema-version": 0, "jupyter-config-data": config},
        )
        share = Path(sys.prefix, "share", "jupyter", "labextensions")
        build = {
            "apps": ["notebooks", "tree"],
            "cache_dir": str(work / "cache"),
            "contents": [str(work / "files")],
            "federated_extensions": [str(share / e) for e in EXTENSIONS],
            "ignore_sys_prefix": ["federated_extensions"],
            "no_sourcemaps": True,
            "no_unused_shared_packages": True,
            "output_dir": str(work / "out"),
            "source_date_epoch": EPOCH,
        }
        _write_json(
            work / "jupyter_lite_config.json", {"LiteBuildConfig": build}
        )
        ran = subprocess.run(
            [sys.executable, "-m", "jupyterlite_core", "build"],
            cwd=work,
            capture_output=True,
            text=True,
        )
        if ran.returncode:
            said = (ran.stdout + ran.stderr)[-2000:]
            raise RuntimeError(f"JupyterLite did not build: {said}")
        shutil.copytree(static, work / "out" / "wheels")
        if pyodide:
            copy_pyodide(pyodide, work / "out" / "pyodide")
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(work / "out", out)


def _write_json(path, data):
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
