"""Execute the lessons, in build/lessons, and build the site of them.

    python -m tools.run                all lessons
    python -m tools.run 05             one
    python -m tools.run --refresh      also stores the outputs in notebooks/

Each lesson has a kernel of its own, in the Python that runs this, and without
the user's settings. A lesson that fails has a page with the error in it, and
the others go on.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbclient.output_widget import OutputWidget
from nbclient.util import run_sync

from tools import memory
from tools.lite import build_lite
from tools.notebooks import (
    ROOT,
    code_cells,
    find_lessons,
    read,
    tags,
    write,
    write_text,
)
from tools.project import FOLDED
from tools.scores import stamp_rows, store_rows
from tools.settings import CELL_SECONDS, clean_settings
from tools.site import build_site

METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


def choose(names, wanted):
    """Names of the lessons asked for by number or name; all by default."""
    chosen = []
    for word in wanted:
        stem = Path(word).name.removesuffix(".ipynb")
        found = [n for n in names if stem == n or stem.zfill(2) == n[:2]]
        if not found:
            there = "\n  ".join(names)
            sys.exit(f"There is no lesson {word!r}. There are:\n  {there}")
        chosen += found
    return list(dict.fromkeys(chosen)) or list(names)


def ask_peak_mb(client):
    """Peak memory of a kernel in MB, or None; leaves no trace in it."""
    file = memory.__file__
    question = f"__import__('runpy').run_path({file!r})['peak_mb']()"
    try:
        reply = run_sync(client.kc.execute_interactive)(
            "", silent=True, user_expressions={"mb": question}, timeout=30
        )
        answer = reply["content"]["user_expressions"]["mb"]
        return round(float(answer["data"]["text/plain"]))
    except (TimeoutError, RuntimeError, KeyError):
        return None  # the kernel has died, or cannot tell


class SilentOutput(OutputWidget):
    """What a slider shows, kept here and not sent back to the kernel.

    To send while the client waits for a reply may hide the reply, and it
    waits for ever: https://github.com/jupyter/nbclient/issues/312.
    """

    def send(self, data=None, metadata=None, buffers=None):
        """Send nothing."""


def start_kernel(notebook, folder):
    """A client with a new kernel, in this Python whatever kernels there are.

    Raises
    ------
    RuntimeError, OSError
        If the kernel does not start.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    )
    client.widget_registry = {
        "@jupyter-widgets/output": {"OutputModel": SilentOutput}
    }
    client.km = client.create_kernel_manager()
    client.km.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
    client.start_new_kernel()
    client.start_new_kernel_client()
    return client


def shown_error(cell):
    """First error among the outputs of a cell that may have none, or "".

    A figure or a table that fails when it is drawn shows one, though the cell
    itself went well.
    """
    errors = [out for out in cell.outputs if out.output_type == "error"]
    if not errors or "raises-exception" in tags(cell):
        return ""
    return " ".join(f"{errors[0].ename}: {errors[0].evalue}".split())


def show_first_state(cell, client):
    """Put what a slider shows first in the place of the slider.

    Stored notebooks hold no widget: pages show none.
    """
    kind = "application/vnd.jupyter.widget-view+json"
    kept = [out for out in cell.outputs if kind not in out.get("data", {})]
    if len(kept) < len(cell.outputs):
        for box in client.comm_objects.values():
            kept += box.outputs
        cell.outputs = kept
    client.comm_objects.clear()


def execute(notebook, folder):
    """Execute a notebook in place, in a new kernel.

    Returns
    -------
    result : dict
        seconds, peak_mb (None where the kernel died) and, where a cell
        failed, error.
    """
    code = [
        (index, cell)
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
    ]
    for _, cell in code:
        cell.outputs, cell.execution_count = [], None
    result: dict[str, Any] = {"seconds": 0, "peak_mb": None}
    alive, start = True, time.perf_counter()
    try:
        client = start_kernel(notebook, folder)
    except (RuntimeError, OSError) as error:
        return result | {"error": f"the start of its kernel: {error}"}
    with client.setup_kernel():
        for count, (index, cell) in enumerate(code, start=1):
            try:
                client.execute_cell(cell, index, execution_count=count)
                show_first_state(cell, client)
                what = shown_error(cell)
            except CellExecutionError as error:
                what = shown_error(cell) or f"{error.ename}: {error.evalue}"
            except CellTimeoutError:
                alive, what = False, f"took longer than {CELL_SECONDS} s"
            except DeadKernelError:
                alive, what = False, "its kernel died; was memory short?"
            if not what:
                continue
            result["error"] = f"cell [{count}]: {what}"
            cell.execution_count = count
            if not alive:
                note = nbformat.v4.new_output(
                    "error", ename="Stopped", evalue=what, traceback=[what]
                )
                cell.outputs.append(note)
            break
        if alive:
            result["peak_mb"] = ask_peak_mb(client)
    result["seconds"] = round(time.perf_counter() - start, 1)
    return result


def tidy(notebook):
    """Keep of an executed notebook what is the same at each execution."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        kept = {k: v for k, v in cell.metadata.items() if k == "tags" and v}
        kept |= FOLDED if "set-up" in tags(cell) else {}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = [
                out for out in cell.outputs if out.get("name") != "stderr"
            ]


def warnings_in(notebook):
    """Lines that the cells of a notebook wrote to stderr."""
    return [
        f"    cell [{cell.execution_count}] warns: {out.text.strip()}"
        for cell in code_cells(notebook)
        for out in cell.outputs
        if out.get("name") == "stderr"
    ]


def run_lesson(path, out, refresh):
    """Execute one lesson and write its notebook; result and remarks."""
    notebook = read(path)
    result = execute(notebook, path.parent)
    remarks = warnings_in(notebook)
    if "error" in result:
        remarks.append(f"    failed in {result['error']}")
    tidy(notebook)
    stamp_rows(path.name, notebook)
    write(notebook, out / path.name)
    if refresh and "error" not in result:
        write(notebook, path)
        store_rows(ROOT)  # later lessons show this one's scores
    return result, remarks


def run_lessons(paths, chosen, refresh):
    """Run the lessons chosen one by one, then build the site."""
    out, record = ROOT / "build" / "lessons", ROOT / "build" / "run.json"
    out.mkdir(parents=True, exist_ok=True)
    results = json.loads(record.read_text("utf-8")) if record.exists() else {}
    results = {
        name: result
        for name, result in results.items()
        if name in paths
        and name not in chosen
        and (out / f"{name}.ipynb").exists()
    }
    try:
        for name in chosen:
            print(f"{name:40}", end=" ", flush=True)
            result, remarks = run_lesson(paths[name], out, refresh)
            results[name] = result
            write_text(record, json.dumps(results, indent=1, sort_keys=True))
            mb = "?" if result["peak_mb"] is None else result["peak_mb"]
            print(f"{result['seconds']:6.1f} s {mb:6} MB", *remarks, sep="\n")
        if len(chosen) == len(paths):
            build_lite(ROOT / "build" / "site" / "lite")
    finally:  # of what has run, when it is stopped
        there = {name: out / f"{name}.ipynb" for name in sorted(results)}
        print("the site", flush=True)
        print(f"Open {build_site(there, results, ROOT).as_uri()}")
    return int(any("error" in results[name] for name in chosen))


@clean_settings()
def main(arguments):
    """Read the command line, and run the lessons asked for."""
    parser = argparse.ArgumentParser(description="Execute the lessons.")
    parser.add_argument("lesson", nargs="*", help="number or name, as in 05")
    parser.add_argument(
        "--refresh", action="store_true", help="store the outputs as well"
    )
    options = parser.parse_args(arguments)
    paths = {path.stem: path for path in find_lessons(ROOT)}
    chosen = choose(list(paths), options.lesson)
    return run_lessons(paths, chosen, options.refresh)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RuntimeError as error:  # of Sphinx
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
