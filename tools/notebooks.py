"""Find, read and write notebooks."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def read_lessons(root):
    """Content of each lesson, by file name."""
    paths = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return {p.name: json.loads(p.read_text("utf-8")) for p in paths}
