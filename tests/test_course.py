"""nbgrader from end to end: release, collect, autograde, feedback, export."""

import copy
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

pytestmark = pytest.mark.slow

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


@pytest.fixture(scope="module")
def spoilt(course):
    """What nbgrader says of some more submissions, of which few are good."""
    path = SOME[1]
    archive = course / "downloaded" / path.stem / "archive"
    shutil.rmtree(archive.parent)
    archive.mkdir(parents=True)
    for name, spoil in SPOILT.items():
        notebook = read(path)
        spoil(notebook.cells)
        write(notebook, archive / name.format(path.stem))
    (archive / f"b2_{path.name}").write_text("<html>")
    said = nbgrader(course, "zip_collect", path.stem)
    said += nbgrader(course, "autograde", path.stem, code=1)
    nbgrader(course, "export")
    return said


def copy_cells(cells):
    """An answer, and a check, twice, as Jupyter copies cells."""
    for kind in ["solution", "grade"]:
        cell = next(
            c for c in cells if c.metadata.get("nbgrader", {}).get(kind)
        )
        twin = copy.deepcopy(cell)
        twin.id = f"{kind}-again"
        cells.insert(cells.index(cell), twin)


def change_metadata(cells):
    cells[-1].metadata["nbgrader"] = {}


def lose_metadata(cells):
    for cell in cells:
        cell.metadata.clear()


SPOILT = {  # in the order in which they are graded
    "b1_{}.ipynb": copy_cells,
    # b2 is no notebook
    "b3_{}.ipynb": change_metadata,
    "b4_{} (1).ipynb": list.clear,
    "b4_{}.ipynb": list,
    "b5_my answers, final.ipynb": list,
    "b6_{}.ipynb": lose_metadata,
    "{}.ipynb": list,  # without a student's name
}


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


def nbgrader(course, *arguments, code=0):
    """Run nbgrader as an instructor does, in the course's folder."""
    place = str(Path(sys.executable).parent)
    env = os.environ | {"PATH": place + os.pathsep + os.environ["PATH"]}
    limit = "--ExecutePreprocessor.timeout=20"
    command = ["nbgrader", *arguments, limit]
    done = subprocess.run(
        command, cwd=course, env=env, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done.stderr


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


def test_a_bad_submission_stops_no_other(course, spoilt):
    path = SOME[1]
    full = sum(kind.get("points", 0) for kind in kinds(path))
    found = {
        student: float(row["score"])
        for (name, student), row in grades(course).items()
        if name == path.stem and student.startswith("b") and student != "blank"
    }
    wanted = dict(b1=full, b2=0, b3=0, b4=full, b5=full, b6=0)
    assert found == wanted
    for student, score in wanted.items():
        error = f"assignment '{path.stem}' for student '{student}'"
        assert (error in spoilt) == (not score)
    assert f"b4_{path.stem} (1).ipynb: b4_{path.name} is taken" in spoilt
    assert f"did not match anything in: {course}" in spoilt


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
