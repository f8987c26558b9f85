"""Write what several files repeat: badges, navigation, set-up cells, tables.

The address and the version in pyproject.toml are the only source of the
badges and set-up cells: whoever publishes or forks this collection changes
that one line and runs `make sync`. The stored outputs of the lessons are the
only source of the scoreboard.

    python -m tools.sync            writes the files that are stale
    python -m tools.sync --check    names them, and fails if there are any
"""

import json
import re
import sys
import tomllib
from urllib.parse import quote

from tools.notebooks import ROOT, read_lessons
from tools.scores import boards, scoreboard_table, stale_rows, stored_rows
from utils.scores.board import explain_columns

SETUP = """\
# Set-up, the same in each lesson: find the project; on Colab, fetch it first.
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

for module in [m for m in sys.modules if m.split(".")[0] == "utils"]:
    del sys.modules[module]  # another project's utils, or an older copy
home = "{url}"
here = Path.cwd()
places = [here, *here.parents, here / "{name}"]
installed = importlib.util.find_spec("utils")
if installed and installed.origin:
    places.append(Path(installed.origin).parents[1])
found = [p for p in places if (p / "utils" / "lesson.mplstyle").is_file()]
if not found and "COLAB_RELEASE_TAG" in os.environ:
    clone = ["git", "clone", "--quiet", "--depth=1", "--branch={tag}"]
    found = [here / "{name}"]
    subprocess.run([*clone, home, found[0]], check=True)
if not found:
    raise FileNotFoundError(
        f"There is no folder utils in {{here}} or above it. "
        f"Open this notebook inside a copy of the whole project: {{home}}"
    )
sys.path.insert(0, str(found[0]))"""


def read_project(root):
    """Address, repository name and release tag, from pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    url = project["project"]["urls"]["Repository"].rstrip("/")
    return {
        "url": url,
        "repository": url.removeprefix("https://github.com/"),
        "name": url.rsplit("/", 1)[-1],
        "tag": "v" + project["project"]["version"],
    }


def badges(path, facts):
    """Binder and Colab badges that open a file, or Binder's folder view."""
    binder = f"https://mybinder.org/v2/gh/{facts['repository']}/{facts['tag']}"
    colab = "https://colab.research.google.com/github/"
    file = f"{facts['repository']}/blob/{facts['tag']}/{path}"
    badge = "https://mybinder.org/badge_logo.svg"
    line = f"[![Open on Binder]({badge})]({binder}?urlpath=lab/tree/{path})"
    if path.endswith(".ipynb"):
        badge = "https://colab.research.google.com/assets/colab-badge.svg"
        line += f" [![Open in Colab]({badge})]({colab}{quote(file)})"
    return line


def source(cell):
    """Text of a notebook cell."""
    return "".join(cell["source"])


def set_source(cell, text):
    """Store a text as a notebook cell's lines."""
    cell["source"] = text.splitlines(keepends=True)


def lesson_title(notebook):
    """Title line of a lesson, without its hash."""
    return source(notebook["cells"][0]).split("\n", 1)[0].removeprefix("# ")


def lesson_question(notebook):
    """Question of a lesson: the first line of its second cell, in italics."""
    return source(notebook["cells"][1]).split("\n", 1)[0].strip("*")


def sync_lesson(path, notebooks, facts):
    """Give one lesson its first cell and its set-up cell."""
    names = list(notebooks)
    i, notebook = names.index(path.name), notebooks[path.name]
    way = ["[Contents](../README.md)", "[Notation](notation.md)"]
    if i > 0:
        title = lesson_title(notebooks[names[i - 1]])
        way.insert(0, f"[← {title}]({names[i - 1]})")
    if i + 1 < len(names):
        title = lesson_title(notebooks[names[i + 1]])
        way.append(f"[{title} →]({names[i + 1]})")
    title = lesson_title(notebook)
    badge = badges(f"notebooks/{path.name}", facts)
    set_source(
        notebook["cells"][0], f"# {title}\n\n{badge}\n\n{' | '.join(way)}"
    )
    fill_set_up(notebook, facts)
    exercises = path.parent / "solutions" / path.name
    if exercises.exists():
        lead_to_exercises(notebook, exercises)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def fill_set_up(notebook, facts):
    """Write the text of the set-up cell."""
    for cell in notebook["cells"]:
        if "set-up" in cell["metadata"].get("tags", []):
            set_source(cell, SETUP.format(**facts))


def sync_exercises(path, notebooks, facts):
    """Give a solution notebook its first cell and its set-up cell.

    The student version, which is made from it, is what the badges open.
    """
    notebook = json.loads(path.read_text("utf-8"))
    title = lesson_title(notebooks[path.name])
    badge = badges(f"notebooks/exercises/{path.name}", facts)
    way = (
        f"[{title}](../{path.name}) | [Contents](../../README.md) "
        "| [Notation](../notation.md)"
    )
    text = f"# {title}: exercises\n\n{badge}\n\n{way}"
    set_source(notebook["cells"][0], text)
    fill_set_up(notebook, facts)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def read_tasks(path):
    """Titles of the tasks of a solution notebook, points, and minutes."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    text = "\n".join(map(source, cells))
    titles = re.findall(r"(?m)^## \d\. \w+: (.*) \(\d points\)$", text)
    kinds = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    points = sum(kind.get("points", 0) for kind in kinds)
    minutes = re.search(r"\*\*You need\*\* about (\d+) minutes", text)[1]
    return titles, points, minutes


def exercise_table(paths):
    """TEACHING's table: tasks, points and minutes of each notebook."""
    rows = ["| | exercises | points | minutes |", "|---|---|---|---|"]
    for path in paths:
        titles, points, minutes = read_tasks(path)
        link = f"[{int(path.name[:2])}](notebooks/exercises/{path.name})"
        rows.append(f"| {link} | {'; '.join(titles)} | {points} | {minutes} |")
    return "\n".join(rows)


def lead_to_exercises(notebook, path):
    """Write what stands under Exercises in a lesson."""
    titles, _, minutes = read_tasks(path)
    text = (
        f"[The exercises](exercises/{path.name}) take about {minutes} "
        f"minutes: {'; '.join(titles)}. You are told at once whether an "
        "answer is right, and if not, what may have gone wrong."
    )
    pattern = r"(?s)(## Exercises\n\n).*?(\s*\n## Further reading|\Z)"
    for cell in notebook["cells"]:
        found = source(cell)
        if cell["cell_type"] == "markdown" and "## Exercises" in found:
            new = re.sub(pattern, lambda m: m[1] + text + m[2], found, count=1)
            set_source(cell, new)


def lesson_table(notebooks, facts):
    """README's table: one row a lesson."""
    rows = ["| lesson | the question | run it online |", "|---|---|---|"]
    for name, notebook in notebooks.items():
        rows.append(
            f"| [{lesson_title(notebook)}](notebooks/{name}) "
            f"| {lesson_question(notebook)} "
            f"| {badges(f'notebooks/{name}', facts)} |"
        )
    return "\n".join(rows)


def between(text, mark, new):
    """Replace what stands between <!-- mark --> and <!-- /mark -->."""
    pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
    text, n = re.subn(
        pattern, lambda m: m[1] + new + "\n" + m[2], text, flags=re.S
    )
    if n != 1:
        raise ValueError(
            f"expected one pair of <!-- {mark} --> marks, got {n}"
        )
    return text


def synced(root):
    """Yield (path, content) of each file as it should be, as bytes."""
    facts = read_project(root)
    notebooks = read_lessons(root)
    for name in notebooks:
        path = root / "notebooks" / name
        yield path, sync_lesson(path, notebooks, facts).encode()

    tasks = sorted((root / "notebooks" / "solutions").glob("[0-9]*.ipynb"))
    for path in tasks:
        yield path, sync_exercises(path, notebooks, facts).encode()
    path = root / "TEACHING.md"
    if path.exists():
        text = path.read_text("utf-8")
        text = between(text, "exercises", exercise_table(tasks))
        yield path, text.encode()

    rows, picture = boards(notebooks)
    yield root / "utils" / "scores" / "rows.json", stored_rows(rows).encode()
    if picture:
        yield root / "notebooks" / "scoreboard.png", picture

    path = root / "README.md"
    if path.exists():
        text = path.read_text("utf-8")
        text = between(text, "badges", badges("notebooks", facts))
        text = between(text, "lessons", lesson_table(notebooks, facts))
        text = between(text, "scoreboard", scoreboard_table(rows))
        text = between(text, "columns", explain_columns())
        clone = f"```\ngit clone {facts['url']}\ncd {facts['name']}\n```"
        yield path, between(text, "clone", clone).encode()

    path = root / "CITATION.cff"
    if path.exists():
        text = path.read_text("utf-8")
        version = facts["tag"].removeprefix("v")
        text = re.sub(r"(?m)^version: .*$", f"version: {version}", text)
        text = re.sub(
            r"(?m)^repository-code: .*$",
            f'repository-code: "{facts["url"]}"',
            text,
        )
        yield path, text.encode()


def main(arguments):
    """Write the stale files, or with --check fail if there are any."""
    stale = [
        (path, content)
        for path, content in synced(ROOT)
        if not path.exists() or path.read_bytes() != content
    ]
    for path, content in stale:
        print(f"stale: {path.relative_to(ROOT)}")
        if "--check" not in arguments:
            path.write_bytes(content)
    old_scores = list(stale_rows(ROOT))  # only `make refresh` mends them
    print(*old_scores, sep="\n", end="\n" if old_scores else "")
    return 1 if (stale or old_scores) and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
