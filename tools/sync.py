"""Write what several files repeat: badges, navigation, set-up cells, tables.

The address and the version in pyproject.toml are the only source of the
badges and set-up cells: whoever publishes or forks this collection changes
that one line and runs `make sync`. The stored outputs of the lessons are the
only source of the scoreboard and of the pictures at the top.

    python -m tools.sync            writes the files that are stale
    python -m tools.sync --check    names them, and fails if there are any
"""

import re
import sys

import nbformat

from tools.climb import climb, find_steps, is_fresh
from tools.notebooks import (
    ROOT,
    as_text,
    find_solutions,
    question,
    read,
    read_lessons,
    stored_figure,
    tagged,
    title,
)
from tools.play import stale_models
from tools.project import (
    FOLDED,
    IN_PAGE,
    SETUP,
    badges,
    lite_link,
    read_project,
)
from tools.scores import boards, scoreboard_tables, stale_rows, stored_rows
from tools.weights import stale_weights
from utils.scores.board import explain_columns


def fill_set_up(notebook, facts):
    """Write the text of the set-up cell, and fold it."""
    for cell in tagged(notebook, "set-up"):
        cell.source = SETUP.format(**facts)
        cell.metadata.update(nbformat.from_dict(FOLDED))


def sync_lesson(path, notebooks, facts):
    """Give one lesson its first cell and its set-up cell."""
    names = list(notebooks)
    i, notebook = names.index(path.name), notebooks[path.name]
    way = ["[Contents](../README.md)", "[Notation](notation.md)"]
    if i > 0:
        before = title(notebooks[names[i - 1]])
        way.insert(0, f"[← {before}]({names[i - 1]})")
    if i + 1 < len(names):
        after = title(notebooks[names[i + 1]])
        way.append(f"[{after} →]({names[i + 1]})")
    badge = badges(f"notebooks/{path.name}", facts)
    text = f"# {title(notebook)}\n\n{badge}\n\n{' | '.join(way)}"
    notebook.cells[0].source = text
    fill_set_up(notebook, facts)
    solution = path.parent / "solutions" / path.name
    if solution.exists():
        write_exercises_section(notebook, solution)
    return as_text(notebook)


def sync_solution(path, lesson, facts):
    """Give a solution notebook its first cell and its set-up cell.

    The student version, which is made from it, is what the badges open.
    """
    notebook = read(path)
    badge = badges(f"notebooks/exercises/{path.name}", facts)
    way = (
        f"[{title(lesson)}](../{path.name}) | [Contents](../../README.md) "
        "| [Notation](../notation.md)"
    )
    text = f"# {title(lesson)}: exercises\n\n{badge}\n\n{way}"
    notebook.cells[0].source = text
    fill_set_up(notebook, facts)
    return as_text(notebook)


def read_tasks(path):
    """Titles of the tasks of a solution notebook, points, and minutes."""
    cells = read(path).cells
    text = "\n".join(cell.source for cell in cells)
    titles = re.findall(r"(?m)^## \d\. \w+: (.*) \(\d points\)$", text)
    kinds = [cell.metadata.get("nbgrader", {}) for cell in cells]
    points = sum(kind.get("points", 0) for kind in kinds)
    minutes = re.findall(r"\*\*You need\*\* about (\d+) minutes", text)
    return titles, points, minutes[0]


def exercise_table(paths):
    """TEACHING's table: tasks, points and minutes of each notebook."""
    rows = ["| lesson | exercises | points | minutes |", "|---|---|---|---|"]
    for path in paths:
        titles, points, minutes = read_tasks(path)
        link = f"[{int(path.name[:2])}](notebooks/exercises/{path.name})"
        rows.append(f"| {link} | {'; '.join(titles)} | {points} | {minutes} |")
    return "\n".join(rows)


def write_exercises_section(notebook, path):
    """Write what stands under Exercises in a lesson."""
    titles, _, minutes = read_tasks(path)
    text = (
        f"[The exercises](exercises/{path.name}) take about {minutes} "
        f"minutes: {'; '.join(titles)}. You are told at once whether an "
        "answer is right, and if not, what may have gone wrong."
    )
    pattern = r"(?s)(## Exercises\n\n).*?(\s*\n## Further reading|\Z)"
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "## Exercises" in cell.source:
            cell.source = re.sub(
                pattern, lambda m: m[1] + text + m[2], cell.source, count=1
            )


def lesson_table(notebooks, facts):
    """README's table: one row a lesson."""
    rows = ["| lesson | the question | run it online |", "|---|---|---|"]
    for name, notebook in notebooks.items():
        places = badges(f"notebooks/{name}", facts)
        if name[:2] in IN_PAGE:
            places += f" [in the page]({facts['site']}/{lite_link(name)})"
        rows.append(
            f"| [{title(notebook)}](notebooks/{name}) "
            f"| {question(notebook)} | {places} |"
        )
    return "\n".join(rows)


def replace_between_marks(text, mark, new):
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


def sync_readme(text, notebooks, rows, facts):
    """README with its badges, its tables and its address."""
    table, _ = scoreboard_tables(rows)
    web = f"[Read, run and play on the web]({facts['site']}/)"
    parts = {
        "badges": f"{web} {badges('notebooks', facts)}",
        "lessons": lesson_table(notebooks, facts),
        "scoreboard": table,
        "clone": f"```\ngit clone {facts['url']}\ncd {facts['name']}\n```",
    }
    for mark, new in parts.items():
        text = replace_between_marks(text, mark, new)
    return text


def sync_scoreboard(text, rows):
    """The page of the scoreboard with its tables."""
    _, table = scoreboard_tables(rows)
    text = replace_between_marks(text, "scoreboard", table)
    return replace_between_marks(text, "columns", explain_columns())


def sync_citation(text, facts):
    """CITATION.cff with the version and the address."""
    version = facts["tag"].removeprefix("v")
    text = re.sub(r"(?m)^version: .*$", f"version: {version}", text)
    address = f'repository-code: "{facts["url"]}"'
    return re.sub(r"(?m)^repository-code: .*$", address, text)


def expected_files(root):
    """Yield (path, content) of each file as it should be, as bytes."""
    facts = read_project(root)
    notebooks = read_lessons(root)
    for name, notebook in notebooks.items():
        path = root / "notebooks" / name
        yield path, sync_lesson(path, notebooks, facts).encode()
        if figure := stored_figure(notebook, "picture"):
            yield path.parent / "pictures" / f"{path.stem}.png", figure

    solutions = find_solutions(root)
    for path in solutions:
        text = sync_solution(path, notebooks[path.name], facts)
        yield path, text.encode()

    rows, picture = boards(notebooks)
    yield root / "utils" / "scores" / "rows.json", stored_rows(rows).encode()
    if picture:
        yield root / "notebooks" / "scoreboard.png", picture
    steps, path = find_steps(rows), root / "notebooks" / "climb.png"
    if steps and not is_fresh(path, steps):
        yield path, climb(steps)

    table = exercise_table(solutions)
    for name, update in {
        "README.md": lambda text: sync_readme(text, notebooks, rows, facts),
        "TEACHING.md": lambda text: replace_between_marks(
            text, "exercises", table
        ),
        "notebooks/scoreboard.md": lambda text: sync_scoreboard(text, rows),
        "CITATION.cff": lambda text: sync_citation(text, facts),
    }.items():
        if (root / name).exists():
            text = (root / name).read_text("utf-8")
            yield root / name, update(text).encode()


def write_stale(files, root, check):
    """Name the files that are stale, and write them; exit status.

    Parameters
    ----------
    files : iterable of (Path, bytes)
        Files as they should be.
    root : Path
        What the names start from.
    check : bool
        Write nothing; any stale file is a failure.
    """
    stale = [
        (path, content)
        for path, content in files
        if not path.exists() or path.read_bytes() != content
    ]
    for path, content in stale:
        print(f"stale: {path.relative_to(root)}")
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    return int(check and bool(stale))


def main(arguments):
    """Write the stale files, or with --check fail if there are any."""
    check = "--check" in arguments
    status = write_stale(expected_files(ROOT), ROOT, check)
    # only `make refresh` mends these
    old = [*stale_rows(ROOT), *stale_weights(ROOT), *stale_models()]
    for line in old:
        print(line)
    return status or int(check and bool(old))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
