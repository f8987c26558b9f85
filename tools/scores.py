"""Rows of the scoreboard, from the stored outputs of the lessons."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import (
    ROOT,
    code_cells,
    find_lessons,
    read,
    read_lessons,
    stored_figure,
    tagged,
    tags,
)
from utils.lessons import NOTEBOOKS, model_sources
from utils.scores.board import Row, Scoreboard, read_seeds
from utils.scores.fingerprint import fingerprint
from utils.scores.judge import JUDGE_SHA256

BRIEF = {  # rows of the short table in README
    "uniform noise",
    "class means",
    "independent pixels",
    "one Gaussian",
    "class Gaussians, ridge 3e-06",
    "PPCA, rank 20, no noise",
    "mixtures of 10, no noise",
    "mixtures of 100, no noise",
    "VAE, prior",
    "VAE, class mixtures",
    "GAN",
    "flow",
    "rows, two levels",
    "rows, 256 levels",
    "flow matching",
    "flow matching, long",
    "flow matching, long, guided",
    "flow matching, levels",
    "one step",
    "memoriser",
    "real digits",
}


def with_loaded(sources: list[str]) -> list[str]:
    """Some code, and the model cells of the lessons that it loads."""
    found = list(sources)
    for node in ast.walk(ast.parse("\n".join(sources))):
        if isinstance(node, ast.Call) and (
            ast.unparse(node.func) == "load_lesson"
        ):
            name = ast.literal_eval(node.args[0])
            found += model_sources(NOTEBOOKS / f"{name}.ipynb")
    return found


def lesson_code(notebook: NotebookNode) -> str:
    """Fingerprint of a lesson's code, as far as its scoreboard."""
    sources = []
    for cell in code_cells(notebook):
        if "set-up" not in tags(cell):
            sources.append(cell.source)
        if "scoreboard" in tags(cell):
            break
    return fingerprint(with_loaded(sources))


def network_code(path: Path) -> str:
    """Fingerprint of the code that trains a lesson's network."""
    return fingerprint(with_loaded(model_sources(path)))


def own_rows(name: str, notebook: NotebookNode) -> list[dict]:
    """A lesson's rows, from the output of its cell tagged scoreboard."""
    rows = [
        row
        for cell in tagged(notebook, "scoreboard")
        for output in cell.outputs
        for row in output.get("metadata", {}).get("rows", [])
    ]
    return [row for row in rows if row["lesson"] == int(name[:2])]


def stamp_rows(name: str, notebook: NotebookNode) -> None:
    """Write into each row which code it is of."""
    for row in own_rows(name, notebook):
        row["code"] = lesson_code(notebook)


def boards(
    notebooks: dict[str, NotebookNode],
) -> tuple[list[dict], bytes | None]:
    """Rows of all lessons, and the picture of the last one that has any."""
    rows, picture = [], None
    for name, notebook in notebooks.items():
        if own := own_rows(name, notebook):
            rows += own
            picture = stored_figure(notebook, "scoreboard") or picture
    return rows, picture


def stored_rows(rows: list[dict]) -> str:
    """Text of a file of rows, a row a line."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def store_rows(root: Path) -> None:
    """Write rows.json from the stored outputs of the lessons."""
    path = root / "utils" / "scores" / "rows.json"
    text = stored_rows(boards(read_lessons(root))[0])
    path.write_text(text, encoding="utf-8", newline="\n")


def scoreboard_tables(rows: list[dict]) -> tuple[str, str]:
    """README's short table of the stored rows, and the whole one."""
    found = [Row.from_json(row) for row in rows]
    few = [row for row in found if row.model in BRIEF]
    return Scoreboard(few).markdown(brief=True), Scoreboard(found).markdown()


def stale_rows(root: Path = ROOT) -> Iterator[str]:
    """Name each stored row that is of another code or judge."""
    for path in find_lessons(root):
        notebook = read(path)
        rows = [Row.from_json(row) for row in own_rows(path.name, notebook)]
        if rows:
            yield from _stale(rows, lesson_code(notebook))
        if seeds := read_seeds(int(path.name[:2])):
            yield from _stale(seeds, network_code(path))


def _stale(rows, code):
    for row in rows:
        what = "code" if row.code != code else "judge"
        if row.code != code or row.judge != JUDGE_SHA256[:16]:
            yield (
                f"{row.model}: scored with another {what}; "
                f"make refresh LESSON={row.lesson:02}"
            )
