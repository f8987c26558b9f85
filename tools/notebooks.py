"""Find, read and write notebooks, and pick out their cells.

A notebook is what nbformat reads: its texts are one string each.
"""

import base64
import os
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]


def find_lessons(root: Path = ROOT) -> list[Path]:
    """Paths of the lessons, in order."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def find_solutions(root: Path = ROOT) -> list[Path]:
    """Paths of the solutions of the exercises, in order."""
    return sorted((root / "notebooks" / "solutions").glob("[0-9]*.ipynb"))


def student_version(solution: Path) -> Path:
    """Path of the notebook that students get for a solution."""
    return solution.parents[1] / "exercises" / solution.name


def read(path: Path) -> NotebookNode:
    """Content of one notebook."""
    return nbformat.read(path, as_version=4)


def read_lessons(root: Path = ROOT) -> dict[str, NotebookNode]:
    """Content of each lesson, by file name."""
    return {path.name: read(path) for path in find_lessons(root)}


def as_text(notebook: NotebookNode) -> str:
    """Text of a notebook's file; each tool writes notebooks this way."""
    return nbformat.writes(notebook) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a file at once, so that nobody meets half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook's file."""
    write_text(path, as_text(notebook))


def tags(cell: NotebookNode) -> set[str]:
    """Tags of a cell."""
    return set(cell.metadata.get("tags", []))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    """Cells of a notebook that have a tag."""
    return [cell for cell in notebook.cells if tag in tags(cell)]


def title(notebook: NotebookNode) -> str:
    """Title of a lesson, without its hash."""
    return notebook.cells[0].source.split("\n", 1)[0].removeprefix("# ")


def question(notebook: NotebookNode) -> str:
    """Question of a lesson: the first line of its second cell, in italics."""
    return notebook.cells[1].source.split("\n", 1)[0].strip("*")


def stored_figure(notebook: NotebookNode, tag: str) -> bytes | None:
    """PNG file of the last figure that cells with a tag have stored."""
    figures = [
        output.data["image/png"]
        for cell in tagged(notebook, tag)
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    return base64.b64decode(figures[-1]) if figures else None
