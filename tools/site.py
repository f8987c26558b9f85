"""Build the site, in build/site, of notebooks that have their outputs.

    python -m tools.site            of the stored ones, without running any

`write_sources` writes what Sphinx reads, notebooks and Markdown, to
build/pages; `site/` has settings, styles and what is written by hand.
"""

import copy
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from html import escape
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode
from PIL import Image, ImageDraw, ImageFont

from tools.notebooks import (
    ROOT,
    as_text,
    find_lessons,
    find_solutions,
    question,
    read,
    stored_figure,
    student_version,
    tags,
    title,
)
from tools.project import read_project
from tools.sync import exercise_table

SITE = ROOT / "site"
DOCUMENTS = {
    "notebooks/notation.md": "notation.md",
    "notebooks/scoreboard.md": "scoreboard.md",
    "TEACHING.md": "teaching.md",
    "CHANGELOG.md": "changes.md",
}
LINK = re.compile(
    r"(!?)(\[[^][]*\])\(([\w./-]*[./][\w./-]*)(#[^)\s]*)?\)"  # no address
)
Facts = Mapping[str, str]
Results = Mapping[str, Mapping[str, Any]]


def lead_links(text: str, file: str, pages: Facts, facts: Facts) -> str:
    """Lead links in Markdown to pages, and others to the repository.

    Parameters
    ----------
    text : str
    file : str
        Where it stands, from the root of the project.
    pages : dict
        What is on the site: from the path of a file to that of its page.
    facts : dict
        Of `read_project`.
    """

    def lead(link):
        image, words, target, anchor = link.groups(default="")
        path = posixpath.join(posixpath.dirname(file), target)
        path = posixpath.normpath(path)
        if path in pages:
            here = posixpath.dirname(pages[file])
            target = posixpath.relpath(pages[path], here or ".")
            # anchors of Jupyter keep capitals and commas
            anchor = re.sub(r"[^\w#-]", "", anchor.lower())
        elif image:  # a lesson that failed may have no picture
            return ""
        else:
            target = f"{facts['url']}/blob/{facts['tag']}/{path}"
        return f"{image}{words}({target}{anchor})"

    return LINK.sub(lead, text)


def launch_row(badges: str, page: str, seconds: float | None) -> str:
    """Links that open a notebook elsewhere, made of its line of badges.

    `seconds` says how long it takes in the page: 0 if that is not known, None
    if it does not run there.
    """
    up = "../" * page.count("/")
    links = []
    if seconds is not None:
        href = f"{up}lite/notebooks/index.html?path={posixpath.basename(page)}"
        took = f", {seconds:.0f} s" if seconds else ""
        links.append(
            f'<a class="lite" href="{href}">Run in this page{took}</a>'
        )
    for host, name in [("mybinder", "Binder"), ("colab", "Colab")]:
        if found := re.search(rf"\((https://{host}[^)]*)\)", badges):
            href = escape(found[1])
            links.append(f'<a href="{href}">Open in {name}</a>')
    links.append(f'<a href="{up}notebooks/{page}" download>Download</a>')
    if found := re.search(r"\(https://colab[^)]*/github/([^)]*)\)", badges):
        href = escape(f"https://github.com/{found[1]}")
        links.append(f'<a href="{href}">Source</a>')
    return f'<p class="launch">{" ".join(links)}</p>'


def failed(error: str) -> str:
    """A paragraph that says where a lesson failed."""
    return f'<p class="failed">This lesson failed in {escape(error)}</p>'


def prepare(
    notebook: NotebookNode, page: str, seconds: float | None, error: str
) -> NotebookNode:
    """A notebook as Sphinx shows it.

    Its badges become a row of links and its set-up cell folds; the alternative
    text of each figure moves to where myst-nb looks for it.
    """
    notebook = copy.deepcopy(notebook)
    first = notebook.cells[0]
    heading, *rest = first.source.split("\n\n")
    parts = [heading, launch_row(rest[0] if rest else "", page, seconds)]
    first.source = "\n\n".join(parts + [failed(error)] * bool(error))
    for cell in notebook.cells:
        if "set-up" in tags(cell):
            cell.metadata["tags"] = ["set-up", "hide-input"]
            cell.metadata["mystnb"] = {
                "code_prompt_show": "Show the set-up cell",
                "code_prompt_hide": "Hide the set-up cell",
            }
        for out in cell.get("outputs", []):
            if alt := out.get("metadata", {}).get("image/png", {}).get("alt"):
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return notebook


def takes(notebook: NotebookNode) -> str:
    """What a lesson says that it takes, as in "about 10 seconds, 600 MB"."""
    text = notebook.cells[1].source.split("**You need**")[-1]
    time = re.findall(r"\w+ (?:seconds|minutes)(?!\s+to\s+read)", text)
    memory = re.findall(r"[\d.]+ [MG]B", text)
    return ", ".join([f"about {t}" for t in time[:1]] + memory[:1])


def lesson_list(
    paths: Mapping[str, Path], there: Mapping[str, Path], results: Results
) -> str:
    """The lessons on the first page: picture, question, how far it is."""
    parts = []
    for name, path in paths.items():
        notebook = read(there.get(name, path))
        heading, state = f"**{title(notebook)}**", "not run yet"
        opening = notebook.cells[1].source
        pictures = re.findall(r"!(\[[^]]*\])\((pictures/[^)]*)\)", opening)
        lines = []
        if name in there:
            heading = f"[{heading}](notebooks/{name}.ipynb)"
            result = results.get(name, {})
            state = takes(notebook)
            if "error" in result:
                state = failed(result["error"])
            elif result:
                state = f"{result['seconds']} s, {result['peak_mb'] or '?'} MB"
            lines = [f"!{alt}(notebooks/{file})" for alt, file in pictures]
        body = "\n\n".join([*lines[:1], heading, question(notebook), state])
        parts.append(f"````{{container}} lesson\n{body}\n````")
    return "\n\n".join(parts)


def contents(caption: str, pages: list[str]) -> str:
    """A hidden table of contents: the side bar, previous and next."""
    names = "\n".join(pages)
    return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{names}\n```"


def citation(root: Path) -> str:
    """CITATION.cff as a sentence and as a BibTeX entry."""
    path = root / "CITATION.cff"
    facts = yaml.safe_load(path.read_text("utf-8"))
    authors = " and ".join(
        author.get("name")
        or f"{author['given-names']} {author['family-names']}"
        for author in facts["authors"]
    )
    year = facts["date-released"][:4]
    url = facts["repository-code"]
    return f"""\
# How to cite

{facts["message"]}

> {authors} ({year}). *{facts["title"]}*, version {facts["version"]}.
> <{url}>

```bibtex
@software{{gentle_generative_modelling,
  title = {{{facts["title"]}}},
  author = {{{{{authors}}}}},
  year = {{{year}}},
  version = {{{facts["version"]}}},
  url = {{{url}}}
}}
```
"""


def scoreboard(text: str, names: list[str]) -> str:
    """The scoreboard with each model led to its lesson, for sorting."""
    lessons = {int(name[:2]): f"{name}.ipynb" for name in names}
    text = re.sub(
        r"(?m)^\| ([^|]+) \| (\d+) \|",
        lambda row: f"| [{row[1]}]({lessons[int(row[2])]}) | {row[2]} |",
        text,
    )
    text = text.replace(
        "<!-- scoreboard -->",
        "Press the head of a column to sort by it.\n\n{.sortable}",
    )
    wide = "html_theme.sidebar_secondary.remove: true"
    return f"---\n{wide}\n---\n\n{text}"


def sources(
    root: Path,
    there: Mapping[str, Path],
    results: Results,
    in_page: Mapping[str, float],
) -> dict[str, bytes]:
    """What Sphinx reads, by path.

    Parameters
    ----------
    root : Path
        Of the project.
    there : dict
        Notebooks with outputs, by name; only these have a page.
    results : dict
        Of `tools.run`, by name.
    in_page : dict
        Seconds that a lesson takes in the page, by name.
    """
    facts = read_project(root)
    paths = {path.stem: path for path in find_lessons(root)}
    notebooks = {name: read(path) for name, path in there.items()}
    tasks = {
        path.stem: student_version(path)
        for path in find_solutions(root)
        if path.stem in there and student_version(path).exists()
    }
    pictures = {
        f"pictures/{name}.png": figure
        for name, notebook in notebooks.items()
        if (figure := stored_figure(notebook, "picture"))
    }
    for name in ["climb.png", "scoreboard.png"]:
        if (root / "notebooks" / name).exists():
            pictures[name] = (root / "notebooks" / name).read_bytes()
    documents = {
        file: page
        for file, page in DOCUMENTS.items()
        if (root / file).exists()
    }
    pages = {"README.md": "index.md", "CITATION.cff": "cite.md"} | documents
    pages |= {f"notebooks/{name}.ipynb": f"{name}.ipynb" for name in there}
    pages |= {
        f"notebooks/exercises/{name}.ipynb": f"exercises/{name}.ipynb"
        for name in tasks
    }
    pages |= {f"notebooks/{name}": name for name in pictures}
    play = {
        f"site/play/{path.name}": f"play/{path.name}"
        for path in sorted((root / "site" / "play").glob("*.md"))
    }
    pages |= play
    if tasks:
        pages["notebooks/exercises"] = "exercises/index.md"

    def led(text, file):
        return lead_links(text, file, pages, facts).encode()

    def shown(notebook, file, seconds=None, error=""):
        page = prepare(notebook, pages[file], seconds, error)
        for cell in page.cells:
            if cell.cell_type == "markdown":
                cell.source = led(cell.source, file).decode()
        return as_text(page).encode()

    files = dict(pictures)
    for name, notebook in notebooks.items():
        error = results.get(name, {}).get("error", "")
        file = f"notebooks/{name}.ipynb"
        seconds = in_page.get(name)
        files[f"{name}.ipynb"] = shown(notebook, file, seconds, error)
    for name, path in tasks.items():
        file = f"notebooks/exercises/{name}.ipynb"
        files[f"exercises/{name}.ipynb"] = shown(read(path), file)
    for file, page in documents.items():
        text = without_navigation((root / file).read_text("utf-8"))
        if page == "scoreboard.md":
            text = scoreboard(text, list(paths))
        files[page] = led(text, file)
    if (root / "CITATION.cff").exists():
        files["cite.md"] = citation(root).encode()
    if tasks:
        table = exercise_table(
            [path for path in find_solutions(root) if path.stem in tasks]
        )
        text = (SITE / "exercises.md").read_text("utf-8")
        text = text.replace("<!-- exercises -->", table)
        links = contents("Exercises", list(tasks))
        files["exercises/index.md"] = (
            led(text, "TEACHING.md").replace(b"](exercises/", b"](")
            + f"\n{links}\n".encode()
        )
    for file in play:
        files[pages[file]] = led((root / file).read_text("utf-8"), file)

    text = (SITE / "index.md").read_text("utf-8")
    text = text.replace("<!-- lessons -->", lesson_list(paths, there, results))
    groups = {
        "Lessons": [f"{name}.ipynb" for name in there],
        "Practise": ["exercises/index.md", *play.values()],
        "Look up": ["notation.md", "scoreboard.md"],
        "About": ["teaching.md", "cite.md", "changes.md"],
    }
    parts = [
        contents(caption, kept)
        for caption, group in groups.items()
        if (kept := [page for page in group if page in files])
    ]
    files["index.md"] = led("\n\n".join([text, *parts]), "README.md")
    return files


def without_navigation(text: str) -> str:
    """Markdown without the line below its title that leads elsewhere."""
    return re.sub(r"\A(# .*\n)\n\[Contents\].*\n", r"\1", text)


def seconds_in_page(lite: Path) -> dict[str, float]:
    """Seconds of each lesson that runs in the page, 0 if not measured."""
    if not lite.exists():
        return {}
    file = SITE / "lite.json"
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    names = [path.stem for path in find_lessons() if path.name < "06"]
    return {name: known.get(name, 0) for name in names}


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
    for page in [*out.glob("*.html"), *out.glob("exercises/*.html")]:
        page.unlink()  # of a lesson that is not there any more
    copy_mathjax(out / "_static" / "mathjax")
    (out / "card.png").write_bytes(draw_card(root))
    if any(name.startswith("play/") for name in files):
        write_data(out / "_static" / "play")
    run_sphinx(build / "pages", out, build / "doctrees")
    for path in [*out.rglob("*.map"), out / "_static/scripts/fontawesome.js"]:
        path.unlink(missing_ok=True)  # no page asks for them
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


def draw_card(root: Path) -> bytes:
    """PNG file of 1200 x 630 pixels that links to the site show."""
    card = Image.new("L", (1200, 630), 255)
    words = "A Gentle Introduction\nto Generative Modelling"
    font = ImageFont.load_default(64)
    ImageDraw.Draw(card).text((80, 50), words, font=font, fill=0)
    climb = root / "notebooks" / "climb.png"
    if climb.exists():  # its first digits, some between, and its last
        with Image.open(climb) as frames:
            count = getattr(frames, "n_frames", 1)
            for row in range(3):
                frames.seek(row * (count - 1) // 2)
                size = 1040, 1040 * frames.height // frames.width
                picture = frames.convert("L").resize(size)
                card.paste(picture, (80, 215 + 135 * row))
    file = BytesIO()
    card.save(file, "PNG", optimize=True)
    return file.getvalue()


def write_data(folder: Path) -> None:
    """Write the data of the pages to play with."""
    if find_spec("tools.play"):
        import_module("tools.play").write_data(folder)


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
    if find_spec("tools.lite"):
        lite = import_module("tools.lite")
        lite.build_lite(ROOT / "build" / "site" / "lite")
    print(f"Open {build_site().as_uri()}")


if __name__ == "__main__":
    main()
