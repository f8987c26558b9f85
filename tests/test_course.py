"""nbgrader from end to end: release, collect, autograde, feedback, export."""

import csv
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools import exercises
from tools.notebooks import find_solutions, read, write

SOLUTIONS = find_solutions()
SOME = SOLUTIONS if os.environ.get("ALL_COURSE") else SOLUTIONS[2:4]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with submissions that were collected and graded."""
    course = tmp_path_factory.mktemp("course")
    exercises.make_course(SOME, course)
    for path in SOME:
        downloads = course / "downloaded" / path.stem / "archive"
        downloads.mkdir(parents=True)
        for name, notebook in submissions(course, path).items():
            write(notebook, downloads / f"{name}_{path.name}")
        for step in ["zip_collect", "autograde", "generate_feedback"]:
            nbgrader(course, step, path.stem)
    nbgrader(course, "export")
    return course


def submissions(course, path):
    """What three students hand in; in the first, one more never ends."""
    release = course / "release" / path.stem / path.name
    blank = read(release)
    found = {
        "diligent": read(path),
        "blank": blank,
        "cunning": answered(release, hard_coded(path)),
    }
    if path == SOME[0]:
        loop = {first_answer(path): "while True: pass"}
        found["endless"] = answered(path, loop)
    return found


def hard_coded(path):
    """Answers that know the numbers of the visible checks, by grade id."""
    text = path.with_suffix(".toml").read_text("utf-8")
    wrong = tomllib.loads(text)["wrong"]
    return {
        w["exercise"]: w["code"]
        for w in wrong
        if w["why"].startswith("hard-coded")
    }


def kinds(path):
    """What nbgrader knows of each cell."""
    notebook = read(path)
    return [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]


def first_answer(path):
    return next(k["grade_id"] for k in kinds(path) if k.get("solution"))


def answered(path, answers):
    """A notebook with some answers replaced."""
    notebook = read(path)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in answers:
            cell.source = answers[grade_id]
    return notebook


def nbgrader(course, *arguments):
    """Run nbgrader as an instructor does, in the course's folder."""
    place = str(Path(sys.executable).parent)
    env = os.environ | {"PATH": place + os.pathsep + os.environ["PATH"]}
    limit = "--ExecutePreprocessor.timeout=20"
    command = ["nbgrader", *arguments, limit]
    done = subprocess.run(
        command, cwd=course, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


def grades(course):
    with open(course / "grades.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["assignment"], row["student_id"]): row for row in rows}


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.stem)
def test_grades_are_what_they_should_be(course, path):
    points = [kind["points"] for kind in kinds(path) if "points" in kind]
    wanted = {"diligent": sum(points), "blank": 0, "cunning": 0}
    if path == SOME[0]:
        wanted["endless"] = sum(points[1:])  # the rest is graded
    found = grades(course)
    for name, score in wanted.items():
        row = found[path.stem, name]
        assert float(row["score"]) == score, name
        assert float(row["max_score"]) == sum(points)


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.stem)
def test_feedback_shows_the_hints(course, path):
    file = course / "feedback" / "blank" / path.stem / f"{path.stem}.html"
    assert "Not yet." in file.read_text("utf-8")


def test_release_holds_no_answer(course):
    for path in (course / "release").rglob("*.ipynb"):
        text = path.read_text("utf-8")
        assert "### BEGIN" not in text
        assert "[[wrong]]" not in text
    names = {p.suffix for p in (course / "release").rglob("*.*")}
    assert names == {".ipynb"}


def test_a_solution_without_full_marks_stops_the_course(tmp_path):
    notebook = read(SOME[0])
    answer = next(
        c
        for c in notebook.cells
        if c.metadata.get("nbgrader", {}).get("solution")
    )
    answer.source = "import a_package_that_is_missing"
    source = tmp_path / SOME[0].name
    write(notebook, source)
    with pytest.raises(RuntimeError, match="points: does the environment"):
        exercises.make_course([source], tmp_path / "course")
    shutil.rmtree(tmp_path / "course")
