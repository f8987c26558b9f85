"""Rows of the scoreboard, from the stored outputs of the lessons."""

import base64
import json

from tools.notebooks import read_lessons
from utils.scoreboard import Scoreboard, as_row


def board(name, notebook):
    """A lesson's own rows of the scoreboard, and its picture of all rows.

    Both stand in the stored output of the cell tagged scoreboard.
    """
    rows, picture = [], None
    for cell in notebook["cells"]:
        if "scoreboard" not in cell["metadata"].get("tags", []):
            continue
        for output in cell["outputs"]:
            rows += output.get("metadata", {}).get("rows", [])
            picture = output.get("data", {}).get("image/png", picture)
    return [row for row in rows if row["lesson"] == int(name[:2])], picture


def boards(notebooks):
    """Rows of all lessons, and the picture of the last one that has any."""
    found = [board(name, notebook) for name, notebook in notebooks.items()]
    rows = [row for own, _ in found for row in own]
    pictures = [picture for own, picture in found if own and picture]
    picture = base64.b64decode(pictures[-1]) if pictures else None
    return rows, picture


def stored_rows(rows):
    """Text of scoreboard.json, a row a line."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def store_rows(root):
    """Write scoreboard.json from the stored outputs of the lessons."""
    rows, _ = boards(read_lessons(root))
    path = root / "utils" / "scoreboard.json"
    path.write_text(stored_rows(rows), encoding="utf-8", newline="\n")


def scoreboard_table(rows):
    """README's table of stored rows."""
    return Scoreboard([as_row(row) for row in rows]).markdown
