"""Build the site, in build/site, of notebooks that have their outputs.

    python -m tools.site            of the stored ones, without running any

`tools.pages` makes what Sphinx reads, in build/pages; `site/` has settings,
styles and what is written by hand.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tools.climb import FADE
from tools.lite import MEASURED, OUT, build_lite, lite_lessons
from tools.notebooks import ROOT, find_lessons
from tools.pages import SITE, Results, sources
from tools.play import write_data


def seconds_in_page(lite: Path) -> dict[str, int]:
    """Seconds of each notebook that runs in the page, 0 if not measured."""
    if not lite.exists():
        return {}
    names = [path.stem for path in lite_lessons()]
    known = json.loads(MEASURED.read_text("utf-8"))
    seconds = {name: known[name]["seconds"] for name in names}
    return seconds | {f"exercises/{name}": 0 for name in names}


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Make a folder hold these files and no others; keep what is the same."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def build_site(
    there: Mapping[str, Path] | None = None,
    results: Results | None = None,
    root: Path = ROOT,
    build: Path | None = None,
) -> Path:
    """Build the site in root/build/site; path of its first page.

    Parameters
    ----------
    there : dict, optional
        Notebooks with outputs, by name: those that have a page. The stored
        ones by default.
    results : dict, optional
        Of `tools.run`, by name.
    root : Path, optional
        Of the project.
    build : Path, optional
        Another folder than root/build.

    Raises
    ------
    RuntimeError
        If Sphinx warns or fails; the message is what it says. After mere
        warnings the pages are there.
    """
    if there is None:
        there = {path.stem: path for path in find_lessons(root)}
    build = build or root / "build"
    out = build / "site"
    in_page = seconds_in_page(out / "lite")
    files = sources(root, there, results or {}, in_page)
    write_files(files, build / "pages")
    write_files(downloads(root, there, files), out / "notebooks")
    for name in ["_images", "_static", "exercises", "play"]:
        shutil.rmtree(out / name, ignore_errors=True)
    for page in out.glob("*.html"):  # may be of a lesson that has gone
        page.unlink()
    copy_mathjax(out / "_static" / "mathjax")
    (out / "card.png").write_bytes(draw_card(root))
    if any(name.startswith("play/") for name in files):
        write_data(out / "_static" / "play")
    run_sphinx(build / "pages", out, build / "doctrees")
    slim(out)
    return out / "index.html"


def downloads(
    root: Path, there: Mapping[str, Path], files: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The notebooks behind the pages, as they are."""
    kept = {f"{name}.ipynb": path.read_bytes() for name, path in there.items()}
    for name in files:
        if name.startswith("exercises/") and name.endswith(".ipynb"):
            kept[name] = (root / "notebooks" / name).read_bytes()
    return kept


def slim(out: Path) -> None:
    """Take out of the theme what no page uses: 0.3 MB a page, 4 MB in all."""
    static = out / "_static"
    for path in [*static.rglob("*.map"), static / "scripts/fontawesome.js"]:
        path.unlink(missing_ok=True)
    shutil.rmtree(static / "vendor" / "fontawesome", ignore_errors=True)
    using = [
        path for kind in ["html", "js"] for path in out.rglob(f"*.{kind}")
    ]
    names = set()
    for path in using:
        if not path.is_relative_to(out / "lite"):
            names |= set(re.findall(r"[\w-]+", path.read_text("utf-8")))
    for path in static.rglob("*.css"):
        text = path.read_text("utf-8")
        path.write_text(keep_rules(text, names), "utf-8", newline="\n")


def keep_rules(css: str, names: set[str]) -> str:
    """A style sheet without the rules for classes that are not in `names`."""

    def used(selector):
        while selector != (bare := re.sub(r"\([^()]*\)", "", selector)):
            selector = bare  # without :not(.name)
        return all(name in names for name in re.findall(r"\.([\w-]+)", bare))

    def keep(rule):
        selectors = re.split(r",(?![^()]*\))", rule[1])
        kept = ",".join(filter(used, selectors))
        return f"{kept}{{{rule[2]}}}" if kept else ""

    css = re.sub(r"(?s)/\*.*?\*/", "", css)
    return re.sub(r"([^{};]+)\{([^{}]*)\}", keep, css)


def draw_card(root: Path) -> bytes:
    """PNG file of 1200 x 630 pixels that links to the site show."""
    card = Image.new("L", (1200, 630), 255)
    words = "A Gentle Introduction\nto Generative Modelling"
    font = ImageFont.load_default(64)
    ImageDraw.Draw(card).text((80, 50), words, font=font, fill=0)
    climb = root / "notebooks" / "climb.png"
    if climb.exists():
        with Image.open(climb) as frames:
            stills = range(1, frames.n_frames, FADE)  # type: ignore[attr-defined]
            for row in range(3):  # the first, one between, the last
                frames.seek(stills[row * (len(stills) - 1) // 2])
                digits = frames.convert("L").crop((0, 0, frames.width, 66))
                card.paste(digits.resize((1040, 106)), (80, 225 + 128 * row))
    file = BytesIO()
    card.save(file, "PNG", optimize=True)
    return file.getvalue()


def copy_mathjax(out: Path) -> None:
    """Copy what the pages need of MathJax: TeX in, HTML and MathML out."""
    package = find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("sphinx-mathjax-offline is not installed")
    mathjax = Path(package.origin).parent / "static" / "mathjax"
    kept = [mathjax / "core.js", mathjax / "startup.js"]
    kept += [mathjax / "input" / "tex.js", mathjax / "output" / "chtml.js"]
    kept += [mathjax / "a11y" / "assistive-mml.js"]
    for folder in ["input/tex/extensions", "output/chtml"]:
        kept += (mathjax / folder).rglob("*.*")
    for path in kept:
        target = out / path.relative_to(mathjax)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def run_sphinx(
    pages: Path, out: Path, doctrees: Path, builder: str = "html"
) -> None:
    """Call Sphinx; warnings are errors."""
    command = [sys.executable, "-m", "sphinx", "-q", "-a", "-W"]
    command += ["-b", builder]
    command += ["--keep-going", "-j", "auto", "-d", str(doctrees)]
    command += ["-c", str(SITE), str(pages), str(out)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    told = subprocess.run(
        command, env=env, capture_output=True, text=True, encoding="utf-8"
    )
    if told.returncode:
        raise RuntimeError(f"Sphinx could not build the site:\n{told.stderr}")


def main() -> None:
    """Build the site of the stored notebooks, and name its first page."""
    build_lite(OUT)
    print(f"Open {build_site().as_uri()}")


if __name__ == "__main__":
    main()
