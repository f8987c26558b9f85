"""The network of an earlier lesson, for a later one."""

import json
from pathlib import Path
from types import SimpleNamespace

__all__ = ["load_lesson", "model_sources"]

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def model_sources(path: Path) -> list[str]:
    """Code that makes a lesson's network, without the rest of the lesson.

    Parameters
    ----------
    path : Path
        A lesson. After its set-up come a cell of imports and one of
        constants; cells with the tag `model` define the network.

    Returns
    -------
    list of str
        Texts of these two cells and of those tagged `model`, in order.

    Raises
    ------
    ValueError
        If no cell is tagged `set-up`.
    """
    cells = json.loads(path.read_text("utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    tags = [cell["metadata"].get("tags", []) for cell in cells]
    starts = [i for i, names in enumerate(tags) if "set-up" in names]
    if not starts:
        raise ValueError(f"{path.name} has no cell tagged set-up")
    first = starts[0] + 1
    chosen = cells[first : first + 2]
    for cell, names in zip(cells[first + 2 :], tags[first + 2 :], strict=True):
        if "model" in names:
            chosen.append(cell)
    return ["".join(cell["source"]) for cell in chosen]


def load_lesson(name: str) -> SimpleNamespace:
    """What the imports, constants and `model` cells of a lesson define.

    Nothing else of the lesson runs; its constants set the seed of Keras.

    Parameters
    ----------
    name : str
        Of a lesson of this project, such as
        ``"14_diffusion_and_flow_matching"``.

    Returns
    -------
    SimpleNamespace
        With all that these cells define, by its name.

    Raises
    ------
    FileNotFoundError
        If there is no lesson of this name in the folder notebooks.
    """
    path = NOTEBOOKS / f"{name}.ipynb"
    if not path.is_file():
        raise FileNotFoundError(f"no lesson {name!r} in {NOTEBOOKS}")
    names = {"__name__": name}
    for source in model_sources(path):
        exec(compile(source, str(path), "exec"), names)
    return SimpleNamespace(**names)
