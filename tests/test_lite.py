"""The site that runs lessons in the page: its files, and how it is compared.

That the lessons run there is checked by `python -m tools.lite --check`.
"""

import copy
import hashlib
import json
import zipfile
from importlib.metadata import version

import nbformat
import pytest

from tools import lite
from tools.notebooks import ROOT, code_cells, read, tags
from tools.wheels import needed, write_installed, write_utils

KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
LESSONS = [path.name for path in lite.lite_lessons()]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A folder like Pyodide's release, with files that hold their names."""
    folder = tmp_path_factory.mktemp("release")
    packages = {"pandas": {"depends": [], "file_name": "pandas-1-none.whl"}}
    for name in [*lite.COMPILED, "python-dateutil"]:
        wheel = f"{name}-1-none.whl"
        (folder / wheel).write_text(name)
        packages[name] = {
            "depends": ["python_dateutil"] if name == "matplotlib" else [],
            "file_name": wheel,
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
        }
    for name in lite.CORE:
        (folder / name).write_text(name)
    lock = {"info": {"python": "3.14.0"}, "packages": packages}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory, release):
    """The site with a copy of Pyodide, built once."""
    out = tmp_path_factory.mktemp("site") / "lite"
    lite.build_lite(out, release)
    return out


def settings(site):
    """What jupyter-lite.json says of the page and of its kernel."""
    config = json.loads((site / "jupyter-lite.json").read_text("utf-8"))
    page = config["jupyter-config-data"]
    return page, page["litePluginSettings"][KERNEL]


@pytest.mark.slow
def test_lessons_and_exercises_are_there(site):
    for folder in ["", "exercises"]:
        listed = json.loads(
            (site / "api" / "contents" / folder / "all.json").read_text()
        )
        names = [entry["name"] for entry in listed["content"]]
        assert set(LESSONS) <= set(names)
        for name in LESSONS:
            path = site / "files" / folder / name
            cells = code_cells(read(path))
            source = ROOT / "notebooks" / folder / name
            assert cells == code_cells(read(source)), path


@pytest.mark.slow
def test_links_lead_to_what_is_there(site):
    paths = sorted((site / "files").rglob("*.ipynb"))
    assert len(paths) == 2 * len(LESSONS) + 1  # one is the notation
    for path in paths:
        assert read(path).metadata.kernelspec.language == "python"
        text = "".join(
            cell.source
            for cell in read(path).cells
            if cell.cell_type == "markdown"
        )
        assert "mybinder" not in text
        for part in text.split("](")[1:]:
            target = part.split(")")[0].split("#")[0]
            if target and "://" not in target:
                assert (path.parent / target).exists(), (path.name, target)


@pytest.mark.slow
def test_each_file_that_the_settings_name_is_there(site):
    page, kernel = settings(site)
    static = "extensions/@jupyterlite/pyodide-kernel-extension/static"
    assert list((site / static).glob("*.worker.*.js"))
    names = []
    for package in kernel["loadPyodideOptions"]["packages"]:
        if package.endswith(".whl"):
            wheel = site / static / package  # as the worker looks for it
            assert zipfile.is_zipfile(wheel), wheel
            names.append(wheel.name.split("-")[0])
        else:
            assert package in lite.COMPILED
    assert {"utils", "ipywidgets", "ipython", "comm"} <= set(names)
    for extension in page["federated_extensions"]:
        folder = site / "extensions" / extension["name"]
        assert (folder / extension["load"]).exists()
    assert len(page["federated_extensions"]) == 2
    for key in ["appUrl", "faviconUrl"]:
        assert (site / page[key]).exists()
    for url in kernel["pipliteUrls"]:
        assert (site / url.split("?")[0]).exists()
    link = lite.lite_link(lite.lite_lessons()[0].name)
    assert (site.parent / link.split("?")[0]).exists()
    assert not list(site.rglob("*.map"))


@pytest.mark.slow
def test_a_copy_of_pyodide_needs_no_other_host(site, release):
    _, kernel = settings(site)
    assert kernel["pyodideUrl"] == "./pyodide/pyodide.mjs"
    assert kernel["disablePyPIFallback"] is True
    folder = site / "pyodide"
    lock = json.loads((folder / "pyodide-lock.json").read_text())
    assert sorted(lock["packages"]) == sorted(
        [*lite.COMPILED, "python-dateutil"]
    )
    wheels = [entry["file_name"] for entry in lock["packages"].values()]
    files = {path.name for path in folder.iterdir()}
    assert files == {*wheels, *lite.CORE, "pyodide-lock.json"}


@pytest.mark.slow
def test_by_default_pyodide_comes_from_its_address(
    tmp_path, monkeypatch, site
):
    monkeypatch.delenv("LITE_PYODIDE", raising=False)
    out = tmp_path / "lite"
    lite.build_lite(out)
    _, kernel = settings(out)
    assert "pyodideUrl" not in kernel and "disablePyPIFallback" not in kernel
    assert not (out / "pyodide").exists()
    # the rest is the same, byte for byte
    paths = [p.relative_to(out) for p in out.rglob("*") if p.is_file()]
    changed = [
        path.as_posix()
        for path in paths
        if (out / path).read_bytes() != (site / path).read_bytes()
    ]
    assert changed == ["jupyter-lite.json"]


def test_a_folder_without_pyodide_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no pyodide-lock.json"):
        lite.copy_pyodide(tmp_path, tmp_path / "out")


def test_a_damaged_wheel_is_refused(release, tmp_path):
    (release / "numpy-1-none.whl").write_text("nump")
    with pytest.raises(ValueError, match="numpy-1-none.whl is damaged"):
        lite.copy_pyodide(release, tmp_path / "out")
    (release / "numpy-1-none.whl").write_text("numpy")


def test_wheel_of_utils_has_what_utils_has(tmp_path):
    names = []
    with zipfile.ZipFile(tmp_path / write_utils(tmp_path)) as wheel:
        for name in wheel.namelist():
            if ".dist-info/" not in name:
                assert wheel.read(name) == (ROOT / name).read_bytes()
                names.append(name)
    utils = ROOT / "utils"
    for end in ["py", "npz", "json", "mplstyle"]:
        for path in utils.rglob(f"*.{end}"):
            assert path.relative_to(ROOT).as_posix() in names
    assert "utils/mnist.npz" in names


def test_wheel_of_a_library_can_be_installed(tmp_path):
    path = tmp_path / write_installed(tmp_path, "comm")
    assert path.name == f"comm-{version('comm')}-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        info = f"comm-{version('comm')}.dist-info"
        record = wheel.read(f"{info}/RECORD").decode().splitlines()
        assert [line.split(",")[0] for line in record[:-1]] == sorted(
            name for name in wheel.namelist() if name != f"{info}/RECORD"
        )
        assert (
            f"Version: {version('comm')}"
            in wheel.read(f"{info}/METADATA").decode()
        )
    first = path.read_bytes()
    write_installed(tmp_path, "comm")
    assert path.read_bytes() == first


def test_needed_follows_the_markers_of_the_page():
    names = needed(["ipython"], lite.PAGE, set())
    assert {"ipython", "traitlets", "stack-data", "executing"} <= set(names)
    assert not {"pexpect", "psutil", "pytest"} & set(names)
    assert "jedi" not in needed(["ipython"], lite.PAGE, {"jedi"})


@pytest.fixture
def cells():
    """Code cells of lesson 03 as if they had run; it has a slider."""
    found = code_cells(read(lite.lite_lessons()[2]))
    for count, cell in enumerate(found, 1):
        cell.execution_count = count
    return found


def test_a_run_as_stored_has_no_differences(cells):
    stored = copy.deepcopy(cells)
    assert lite.differences(stored, cells) == []
    slider = next(cell for cell in cells if "knob" in tags(cell))
    data = {"application/vnd.jupyter.widget-view+json": {}}
    slider.outputs = [nbformat.v4.new_output("display_data", data)]
    assert lite.differences(stored, cells) == []


def spoil_text(cell):
    cell.outputs[0].text += "1"


def spoil_count(cell):
    cell.execution_count = None


def spoil_figure(cell):
    cell.outputs = []


def spoil_error(cell):
    cell.outputs.append(
        nbformat.v4.new_output("error", ename="E", evalue="no")
    )


def spoil_stream(cell):
    cell.outputs.insert(
        0, nbformat.v4.new_output("stream", name="stderr", text="Warning")
    )


@pytest.mark.parametrize(
    "spoil, tag, said",
    [
        (spoil_text, "nbval-check-output", "printed"),
        (spoil_stream, "nbval-check-output", "Warning"),
        (spoil_count, "set-up", "did not run"),
        (spoil_error, "set-up", "stopped: E: no"),
        (spoil_figure, "picture", "no figure"),
        (spoil_figure, "knob", "no figure"),
    ],
)
def test_a_difference_is_found(cells, spoil, tag, said):
    stored = copy.deepcopy(cells)
    spoil(next(cell for cell in cells if tag in tags(cell)))
    (found,) = lite.differences(stored, cells)
    assert said in found
    assert lite.differences(stored, cells[1:]) == ["the cells are other ones"]


def test_check_asks_for_a_copy_of_pyodide(monkeypatch, capsys):
    monkeypatch.delenv("LITE_PYODIDE", raising=False)
    monkeypatch.setattr("sys.argv", ["lite", "--check"])
    with pytest.raises(SystemExit):
        lite.main()
    assert "set LITE_PYODIDE" in capsys.readouterr().err


def test_each_lesson_says_what_it_takes():
    measured = json.loads(lite.MEASURED.read_text("utf-8"))
    assert list(measured) == [path.stem for path in lite.lite_lessons()]
    for row in measured.values():
        assert row["seconds"] > 0 and row["gigabytes"] > 0
