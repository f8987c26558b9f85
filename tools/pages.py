"""The pages of the site as Sphinx reads them: notebooks and Markdown."""

import copy
import posixpath
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode

from tools.notebooks import (
    ROOT,
    as_text,
    find_lessons,
    question,
    read,
    stored_figure,
    tags,
    title,
)
from tools.project import lite_link, read_project
from tools.sync import exercise_table

SITE = ROOT / "site"  # what is written by hand
DOCUMENTS = {
    "notebooks/notation.md": "notation.md",
    "notebooks/scoreboard.md": "scoreboard.md",
    "TEACHING.md": "teaching.md",
    "CITATION.cff": "cite.md",
    "CHANGELOG.md": "changes.md",
}
LINK = re.compile(
    r"(!?)(\[[^][]*\])\(([\w./-]*[./][\w./-]*)(#[^)\s]*)?\)"  # no address
)
Results = Mapping[str, Mapping[str, Any]]


def lead_links(
    text: str, file: str, pages: Mapping[str, str], facts: dict[str, str]
) -> str:
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


def launch_row(badges: str, page: str, seconds: int | None) -> str:
    """Links that open a notebook elsewhere, made of its line of badges.

    `seconds` says how long it takes in the page: 0 if that is not known, None
    if it does not run there.
    """
    up = "../" * page.count("/")
    links = []
    if seconds is not None:
        href = up + lite_link(page)
        took = f", {seconds} s" if seconds else ""
        links.append(
            f'<a class="lite" href="{href}">Run in the browser{took}</a>'
        )
    for host, name in [("mybinder", "Binder"), ("colab", "Colab")]:
        # after ")", where the address of the badge's picture ends
        if found := re.search(rf"\)\]\((https://{host}[^)]*)\)", badges):
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
    notebook: NotebookNode, page: str, seconds: int | None, error: str
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
                "code_prompt_show": "Show the cell that finds the project",
                "code_prompt_hide": "Hide the cell that finds the project",
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
    paths: list[Path], there: Mapping[str, Path], results: Results
) -> str:
    """The lessons on the first page: picture, question, how far it is."""
    parts = []
    for path in paths:
        name = path.stem
        notebook = read(there.get(name, path))
        heading, state = f"**{title(notebook)}**", "not run yet"
        opening = notebook.cells[1].source
        pictures = re.findall(r"!(\[[^]]*\])\((pictures/[^)]*)\)", opening)
        lines = []
        if name in there:
            heading = f"[{heading}](notebooks/{name}.ipynb)"
            result = results.get(name, {})
            state = f"To run: {takes(notebook)} of memory"
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


def citation(path: Path) -> str:
    """CITATION.cff as a sentence and as a BibTeX entry."""
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


def scoreboard(text: str, lessons: list[Path]) -> str:
    """The scoreboard with each model led to its lesson, for sorting."""
    names = {str(int(path.name[:2])): path.name for path in lessons}
    text = re.sub(
        r"(?m)^\| ([^|]+) \| (\d+) \|",
        lambda row: f"| [{row[1]}]({names[row[2]]}) | {row[2]} |",
        text,
    )
    text = text.replace(
        "<!-- scoreboard -->",
        "Press the head of a column to sort by it; the table moves "
        "sideways.\n\n{.sortable}",
    )
    wide = "html_theme.sidebar_secondary.remove: true"
    return f"---\n{wide}\n---\n\n{text}"


def without_navigation(text: str) -> str:
    """Markdown without the line below its title that leads elsewhere."""
    return re.sub(r"\A(# .*\n)\n\[Contents\].*\n", r"\1", text)


def find_pages(root: Path, there: Mapping[str, Path]) -> dict[str, str]:
    """What has a page: from the path of a file to that of its page.

    Parameters
    ----------
    root : Path
        Of the project.
    there : dict
        Lessons that have a page, by name.
    """
    pages = {"README.md": "index.md"}
    for file, page in DOCUMENTS.items():
        if (root / file).exists():
            pages[file] = page
    for name in there:
        pages[f"notebooks/{name}.ipynb"] = f"{name}.ipynb"
        if (root / "notebooks" / "exercises" / f"{name}.ipynb").exists():
            pages["notebooks/exercises"] = "exercises/index.md"
            file = f"exercises/{name}.ipynb"
            pages[f"notebooks/{file}"] = file
    for path in sorted((root / "site" / "play").glob("*.md")):
        pages[f"site/play/{path.name}"] = f"play/{path.name}"
    return pages


def find_pictures(root: Path, there: Mapping[str, Path]) -> dict[str, bytes]:
    """PNG files that Markdown shows, by their path in notebooks/."""
    pictures = {}
    for name, path in there.items():
        if figure := stored_figure(read(path), "picture"):
            pictures[f"pictures/{name}.png"] = figure
    climb = root / "notebooks" / "climb.png"
    if climb.exists():
        pictures[climb.name] = climb.read_bytes()
    return pictures


def first_page(
    root: Path,
    there: Mapping[str, Path],
    results: Results,
    pages: Mapping[str, str],
) -> str:
    """The first page: what this is, the lessons, and all contents."""
    text = (SITE / "index.md").read_text("utf-8")
    lessons = lesson_list(find_lessons(root), there, results)
    play = [page for page in pages.values() if page.startswith("play/")]
    groups = {
        "Lessons": [f"{name}.ipynb" for name in there],
        "Practise": ["exercises/index.md", *play],
        "Look up": ["notation.md", "scoreboard.md"],
        "About": ["teaching.md", "cite.md", "changes.md"],
    }
    parts = [text.replace("<!-- lessons -->", lessons)]
    for caption, group in groups.items():
        if kept := [page for page in group if page in pages.values()]:
            parts.append(contents(caption, kept))
    return "\n\n".join(parts)


def exercises_page(root: Path, names: list[str]) -> str:
    """The page that lists the exercises."""
    solutions = root / "notebooks" / "solutions"
    table = exercise_table([solutions / f"{name}.ipynb" for name in names])
    table = table.replace("](notebooks/exercises/", "](./")
    text = (SITE / "exercises.md").read_text("utf-8")
    text = text.replace("<!-- exercises -->", table)
    return f"{text}\n{contents('Exercises', names)}\n"


def sources(
    root: Path,
    there: Mapping[str, Path],
    results: Results,
    in_page: Mapping[str, int],
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
        Seconds that a lesson or an exercise takes in the page, by name; 0 if
        that is not known.
    """
    facts = read_project(root)
    files = find_pictures(root, there)
    pages = find_pages(root, there)
    links = pages | {f"notebooks/{name}": name for name in files}
    links["notebooks/exercises/index.md"] = "exercises/index.md"

    def lead(text, file):
        return lead_links(text, file, links, facts)

    for file, page in pages.items():
        name = Path(page).stem
        if page.endswith(".ipynb"):
            lesson = page == f"{name}.ipynb"
            notebook = prepare(
                read(there[name] if lesson else root / file),
                page,
                in_page.get(page.removesuffix(".ipynb")),
                results.get(name, {}).get("error", "") if lesson else "",
            )
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = lead(cell.source, file)
            text = as_text(notebook)
        elif page == "exercises/index.md":
            names = [
                n for n in there if f"exercises/{n}.ipynb" in links.values()
            ]
            text = lead(exercises_page(root, names), f"{file}/index.md")
        elif page == "index.md":
            text = lead(first_page(root, there, results, pages), file)
        elif page == "cite.md":
            text = citation(root / file)
        else:
            text = without_navigation((root / file).read_text("utf-8"))
            if page == "scoreboard.md":
                text = scoreboard(text, find_lessons(root))
            text = lead(text, file)
        files[page] = text.encode()
    return files
