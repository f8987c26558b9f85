"""Make the student versions of the exercises, and a course for nbgrader.

    python -m tools.exercises            writes notebooks/exercises/
    python -m tools.exercises --check    names what is stale, and fails
    python -m tools.exercises --course   makes build/course/ too

notebooks/solutions/ is the only source of both.
"""

import os
import shutil
import sys
import warnings
from pathlib import Path

import nbformat
from nbgrader.apps.api import NbGraderAPI
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from traitlets.config import Config

from tools.notebooks import (
    ROOT,
    as_text,
    find_solutions,
    read,
    student_version,
)
from tools.settings import clean_settings
from tools.sync import write_stale

STEPS = [  # of `nbgrader generate_assignment`, but for its database
    LockCells,
    ClearSolutions,
    ClearOutput,
    CheckCellMetadata,
    ClearHiddenTests,
    ComputeChecksums,
    CheckCellMetadata,
]
CONFIG = '''\
"""A course of {n} assignments. Run nbgrader in this folder."""

from pathlib import Path

from nbgrader.plugins import FileNameCollectorPlugin
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    DeduplicateIds,
    OverwriteCells,
    OverwriteKernelspec,
)


class OneOfEach(DeduplicateIds):
    """Of a cell that was copied, the last is graded; the others are plain.

    nbgrader takes what it leaves of the others for an old format, and stops
    for all students. So it does at any other metadata that it does not know.
    """

    def preprocess(self, notebook, resources):
        notebook, resources = super().preprocess(notebook, resources)
        if not self.grade_ids:
            raise ValueError("no cell of the assignment is left")
        return notebook, resources

    def preprocess_cell(self, cell, resources, cell_index):
        known = cell.metadata.get("nbgrader", {{}}).get("schema_version")
        if "nbgrader" in cell.metadata and known != 3:
            raise ValueError("a cell's nbgrader metadata were changed")
        found = super().preprocess_cell(cell, resources, cell_index)
        if not cell.metadata.get("nbgrader", True):
            del cell.metadata["nbgrader"]
        return found


class OneOfAnyName(FileNameCollectorPlugin):
    """A student's file, whatever its name; of several, the one named so."""

    def collect(self, submitted_file):
        found = super().collect(submitted_file)
        if found is None:
            return None
        file, student = Path(submitted_file), found["student_id"]
        all_files = sorted(file.parent.glob(student + "_*.ipynb"))
        right = file.with_name(student + "_" + found["file_id"] + ".ipynb")
        taken = right if right in all_files else all_files[0]
        if file != taken:
            self.log.warning("Skipped %s: %s is taken", file, taken.name)
            return None
        return found


c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "{name}"
c.ExecutePreprocessor.timeout = 60  # seconds a cell, against endless loops
c.ExecutePreprocessor.interrupt_on_timeout = True
c.Autograde.sanitize_preprocessors = [
    ClearOutput,
    OneOfEach,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
# nbgrader zip_collect: files named STUDENT_ and anything, whose notebook's
# name is that of the assignment, which is the folder's
c.ZipCollectApp.collector_plugin = OneOfAnyName
c.FileNameCollectorPlugin.named_regexp = (
    r".*/(?P<file_id>[^/]+)/extracted/(?:.*/)?"
    r"(?![0-9]+_)(?P<student_id>[^_/]+)_[^/]*"
)
'''


def student(notebook):
    """What students get of a solution notebook.

    No solution, hidden test or output; what they should not edit is locked.
    """
    notebook = nbformat.from_dict(notebook)
    for step in STEPS:
        notebook, _ = step().preprocess(notebook, {})
    return notebook


def student_files(root):
    """Yield (path, content) of each student version as it should be."""
    for path in find_solutions(root):
        text = as_text(student(read(path)))
        yield student_version(path), text.encode()


def make_course(paths, course):
    """Make a course's source/, release/, settings and database.

    The solutions are graded first, and must get full marks: a package that
    the grader lacks would give each student 0, in silence.

    Raises
    ------
    RuntimeError
        If nbgrader refuses a notebook or a solution does not get full marks.
    """
    shutil.rmtree(course, ignore_errors=True)
    course.mkdir(parents=True)
    text = CONFIG.format(n=len(paths), name="generative-modelling")
    (course / "nbgrader_config.py").write_text(text, encoding="utf-8")
    # nbgrader calls the program alembic by its name
    place = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([place, os.environ["PATH"]])
    config = Config()
    config.CourseDirectory.root = str(course)
    api = NbGraderAPI(config=config)
    with warnings.catch_warnings(action="ignore"):  # of nbgrader's own
        for path in paths:
            add_assignment(api, path, course)
        with api.gradebook as book:
            book.remove_student("reference")
    for folder in ["submitted", "autograded"]:
        shutil.rmtree(course / folder)


def add_assignment(api, path, course):
    """Release an assignment; its solution must get full marks."""
    for folder in ["source", "submitted/reference"]:
        target = course / folder / path.stem
        target.mkdir(parents=True)
        shutil.copy(path, target)
    expect(api.generate_assignment(path.stem), path)
    expect(api.autograde(path.stem, "reference"), path)
    with api.gradebook as book:
        graded = book.find_submission(path.stem, "reference")
        got, most = graded.score, graded.max_score
    if got < most or not most:
        raise RuntimeError(
            f"the solution {path.name} gets {got:g} of {most:g} points: "
            "does the environment have all that the notebooks import?"
        )


def expect(done, path):
    """Raise if nbgrader says that it has failed."""
    if not done["success"]:
        text = done.get("log") or done.get("error")
        raise RuntimeError(f"nbgrader refuses {path.name}:\n{text}")


@clean_settings()
def main(arguments):
    """Write what is stale, or with --check fail if there is any."""
    status = write_stale(student_files(ROOT), ROOT, "--check" in arguments)
    if "--course" in arguments:
        course = ROOT / "build" / "course"
        make_course(find_solutions(ROOT), course)
        print(f"Made {course}. Run nbgrader there.")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
