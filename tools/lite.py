"""Lessons 01 to 05 to run in a browser's page, by JupyterLite and Pyodide.

`build/site/lite` is made of files: a web server that hands them out is
enough. What is pure Python (utils, IPython, ipywidgets) comes as wheels made
of what is installed here; Python itself and the compiled libraries are
Pyodide's. The page takes Pyodide from its public address, or from a copy
beside the lessons, so that it asks no other host:

    LITE_PYODIDE=folder python -m tools.lite

The folder is Pyodide's release, unpacked: pyodide-X.tar.bz2 of
https://github.com/pyodide/pyodide/releases, where X is the version that
`python -m tools.lite --help` names; another one of the same Python will do.

    LITE_PYODIDE=folder python -m tools.lite --check

also runs each lesson in Chromium, with every other host out of reach,
compares what its cells print with what is stored, and writes to
site/lite.json how long it took.
"""

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path

import psutil
from jupyterlite_pyodide_kernel.constants import (
    PYODIDE_KERNEL_PLUGIN_ID,
    PYODIDE_VERSION,
)
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_markdown_cell, new_notebook
from packaging.utils import canonicalize_name

from tools.browser import open_browser, open_page, serve
from tools.notebooks import ROOT, code_cells, find_lessons, read, tags, write
from tools.project import IN_PAGE, lite_link, read_project
from tools.wheels import needed, write_installed, write_utils

OUT = ROOT / "build" / "site" / "lite"
MEASURED = ROOT / "site" / "lite.json"
PATIENCE = 600  # seconds that a lesson may take
COMPILED = ["numpy", "scipy", "matplotlib", "scikit-learn", "micropip"]
PURE = ["ipywidgets", "ipython", "jedi", "comm"]
WITHOUT_PYTHON = {"jupyterlab-widgets", "widgetsnbextension"}
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
BADGES = r"(?m)^\[!\[Open on Binder.*\n"
LINK = r"\]\((?![a-z]+:|#)([^)#\s]+)"  # to a file
# what threadpoolctl causes in each cell that uses scikit-learn
QUIET = "ignore:JsProxy.as_object_map() is deprecated"


def lite_lessons() -> list[Path]:
    """Paths of the lessons that run in the page."""
    return [path for path in find_lessons() if path.name[:2] in IN_PAGE]


def write_contents(folder: Path) -> None:
    """Write what the reader finds: lessons, exercises, and the notation.

    The notation becomes a notebook, which a click opens. Links to what is not
    there lead to the repository.
    """
    source = ROOT / "notebooks"
    lessons = [path.relative_to(source) for path in lite_lessons()]
    paths = [*lessons, *(Path("exercises", path) for path in lessons)]
    notebooks = {path: read(source / path) for path in paths}
    notation = (source / "notation.md").read_text("utf-8")
    cells = [new_markdown_cell(notation, id="notation")]
    metadata = notebooks[paths[0]].metadata  # the kernel that it opens with
    page = new_notebook(cells=cells, metadata=metadata)
    notebooks[Path("notation.ipynb")] = page
    pictures = [Path("pictures", f"{path.stem}.png") for path in lessons]
    there = {*notebooks, *pictures}
    facts = read_project(ROOT)

    def lead(link, beside):
        target = link[1].replace("notation.md", "notation.ipynb")
        inside = Path(os.path.normpath(beside / target))
        if inside in there:
            return f"]({target}"
        file = os.path.normpath(Path("notebooks", inside))
        return f"]({facts['url']}/blob/{facts['tag']}/{Path(file).as_posix()}"

    for path, notebook in notebooks.items():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = re.sub(BADGES, "", cell.source)
                lead_on = partial(lead, beside=path.parent)
                cell.source = re.sub(LINK, lead_on, cell.source)
        (folder / path.parent).mkdir(parents=True, exist_ok=True)
        write(notebook, folder / path)
    (folder / "pictures").mkdir()
    for path in pictures:
        shutil.copyfile(source / path, folder / path)


def copy_pyodide(source: Path, out: Path) -> None:
    """Copy what the lessons need of Pyodide's release, and its lock.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a wheel is not the one that the lock names.
    """
    if not (source / "pyodide-lock.json").exists():
        raise FileNotFoundError(
            f"{source} has no pyodide-lock.json; it must be the folder of "
            f"Pyodide's release, of version {PYODIDE_VERSION} or near it"
        )
    lock = json.loads((source / "pyodide-lock.json").read_text("utf-8"))
    found: dict[str, dict] = {}
    todo = list(COMPILED)
    while todo:
        name: str = canonicalize_name(todo.pop())
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
        Folder of Pyodide's release, of which the site gets what it needs. By
        default what LITE_PYODIDE says; without that, the page takes Pyodide
        from its public address.

    Raises
    ------
    FileNotFoundError
        If the folder lacks a file.
    ValueError
        If a file of the folder is damaged.
    RuntimeError
        If JupyterLite fails; the message ends with what it said.
    """
    if pyodide is None and os.environ.get("LITE_PYODIDE"):
        pyodide = Path(os.environ["LITE_PYODIDE"])
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_contents(work / "files")
        static = work / "wheels"
        static.mkdir()
        names = needed(PURE, PAGE, WITHOUT_PYTHON)
        wheels = [write_installed(static, name) for name in names]
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
            "appUrl": "./tree",
            "exposeAppInBrowser": "true",  # `run_lesson` speaks to it
            "faviconUrl": "./notebooks/favicon.ico",
            "litePluginSettings": {PYODIDE_KERNEL_PLUGIN_ID: settings},
            "settingsOverrides": {
                "@jupyterlab/apputils-extension:themes": {
                    "adaptive-theme": True  # dark where the reader's system is
                }
            },
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
            "source_date_epoch": _released(),
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


def _released():
    """Date of the release, in seconds, for the dates of the files."""
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    day = text.split('date-released: "')[1].split('"')[0]
    return int(datetime.fromisoformat(day + "T00:00+00:00").timestamp())


# before there is a session, "run all" would wait for ever
READY = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.isReady"
START = """() => {
  const run = name => jupyterapp.commands.execute("notebook:" + name);
  window.ended = false;
  run("clear-all-cell-outputs")
    .then(() => run("run-all-cells"))
    .finally(() => { window.ended = true; });
}"""
CELLS = """() => {
  const panel = jupyterapp.shell.currentWidget;
  const cells = panel.content.model.toJSON().cells;
  return cells.filter(cell => cell.cell_type === "code");
}"""


def run_lesson(browser, address: str, lesson: Path) -> dict:
    """Open a lesson in Chromium, run all its cells, and wait for the end.

    Parameters
    ----------
    browser : Browser
    address : str
        Where the site of `build_lite` is served.
    lesson : Path

    Returns
    -------
    dict
        cells, its code cells as they are at the end; seconds, from "run all"
        to the end, loading included; bytes, the most memory that the pages'
        processes held; outside, what was asked of other machines.

    Raises
    ------
    TimeoutError
        If it does not end.
    """
    page, outside = open_page(browser)
    page.goto(address + lite_link(lesson.name).removeprefix("lite/"))
    page.wait_for_function(READY, timeout=60_000)
    start, most = time.monotonic(), 0
    page.evaluate(START)
    while not page.evaluate("window.ended"):
        page.wait_for_timeout(500)
        most = max(most, _memory())
        if time.monotonic() - start > PATIENCE:
            raise TimeoutError(f"{lesson.name} ran for {PATIENCE} s in vain")
    seconds = time.monotonic() - start
    cells = from_dict(page.evaluate(CELLS))
    page.context.close()
    return {
        "cells": cells,
        "seconds": seconds,
        "bytes": most,
        "outside": outside,
    }


def _memory():
    """Bytes that Chromium's pages and workers hold; what they share, once."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in process.cmdline():
                total += process.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total


def printed(cell: NotebookNode) -> str:
    """What a cell wrote: its streams, results and errors, without figures."""
    text = ""
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            text += "".join(output["text"])
        elif output["output_type"] == "error":
            text += f"{output['ename']}: {output['evalue']}\n"
        elif output["output_type"] == "execute_result":
            text += "".join(output["data"].get("text/plain", "")) + "\n"
    return text


def differences(
    stored: list[NotebookNode], cells: list[NotebookNode]
) -> list[str]:
    """Where the code cells of a run differ from those that are stored.

    Parameters
    ----------
    stored, cells : lists of NotebookNode
        Code cells, in order.

    Returns
    -------
    list of str
        One for each cell that did not run, stopped with an error, lacks its
        figure, or is tagged `nbval-check-output` and prints something else.
    """
    if [cell["id"] for cell in stored] != [cell["id"] for cell in cells]:
        return ["the cells are other ones"]
    found = []
    for old, new in zip(stored, cells, strict=True):
        allowed = "raises-exception" in tags(old)
        kinds = {output["output_type"] for output in new["outputs"]}
        name = f"cell {new['id']}"
        if not new["execution_count"]:
            found.append(f"{name} did not run")
        elif "error" in kinds and not allowed:
            found.append(f"{name} stopped: {printed(new)}")
        elif _has_figure(old) and not _has_figure(new):
            found.append(f"{name} shows no figure")
        elif "nbval-check-output" in tags(old) and printed(old) != printed(
            new
        ):
            found.append(
                f"{name} printed\n{printed(new)}where this is stored:\n"
                f"{printed(old)}"
            )
    return found


def _has_figure(cell):
    """Whether a cell shows a picture, or the slider that draws one."""
    widget = "application/vnd.jupyter.widget-view+json"
    shown = {kind for out in cell["outputs"] for kind in out.get("data", {})}
    return widget in shown or any(k.startswith("image/") for k in shown)


def check_lite(out: Path) -> bool:
    """Run each lesson of a site in Chromium; whether all is as stored.

    Writes to site/lite.json, for each lesson, the seconds from "run all" to
    the end and the gigabytes of memory at most, both rounded up.
    """
    fine, measured = True, {}
    with open_browser() as browser, serve(out) as address:
        for lesson in lite_lessons():
            ran = run_lesson(browser, address, lesson)
            wrong = differences(code_cells(read(lesson)), ran["cells"])
            wrong += [f"it asked for {link}" for link in ran["outside"]]
            fine = fine and not wrong
            measured[lesson.stem] = {
                "seconds": math.ceil(ran["seconds"] / 10) * 10,
                "gigabytes": math.ceil(ran["bytes"] / 1e8) / 10,
            }
            print(
                f"{lesson.stem}: {ran['seconds']:.0f} s, "
                f"{ran['bytes'] / 1e9:.2f} GB, {len(wrong)} differences",
                *wrong,
                sep="\n  ",
                flush=True,
            )
    if fine:
        MEASURED.parent.mkdir(exist_ok=True)
        _write_json(MEASURED, measured)
    return fine


def main() -> None:
    """Build the site, and with `--check` run each lesson in Chromium."""
    parser = argparse.ArgumentParser(
        description="Build build/site/lite: lessons that run in the page, "
        f"on Pyodide {PYODIDE_VERSION}, or a copy that LITE_PYODIDE names."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="run each in Chromium, on that copy, and compare",
    )
    check = parser.parse_args().check
    if check and not os.environ.get("LITE_PYODIDE"):
        parser.error("--check reaches no other host: set LITE_PYODIDE")
    build_lite(OUT)
    if check:
        sys.exit(not check_lite(OUT))


if __name__ == "__main__":
    main()
