"""Pages of build/lessons: one a lesson, notation, scoreboard, and an index.

They need no network: MathJax is copied beside them.
"""

import copy
import re
import shutil
from pathlib import Path

import jupyter_server_mathjax
import nbformat
from jinja2 import Environment, FileSystemLoader
from nbconvert import HTMLExporter

from tools.notebooks import question, read, stored_figure, title, write_text
from tools.project import read_project

TOOLS = Path(__file__).resolve().parent
TEMPLATES = FileSystemLoader(TOOLS)
MATHJAX = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"


def copy_mathjax(out):
    """Copy what the pages need of MathJax: TeX in, HTML out, one font."""
    static = Path(jupyter_server_mathjax.__file__).parent / "static"
    skip = shutil.ignore_patterns("localization", "SVG", "a11y")
    shutil.copytree(static, out / "mathjax", ignore=skip, dirs_exist_ok=True)


def page_links(page, facts):
    """Lead links to the pages of files, and put words for remote images."""

    def lead(link):
        target, anchor = link[1], link[2] or ""
        if target.startswith("exercises/"):  # to open in Jupyter, not to read
            file = f"{facts['tag']}/notebooks/{target}"
            return f'href="{facts["url"]}/blob/{file}"'
        if target == "../README.md":
            target = "index.html"
        elif target.startswith("../"):
            target = f"{facts['url']}/blob/{facts['tag']}/{target[3:]}"
        return f'href="{re.sub(r"[.](ipynb|md)$", ".html", target)}{anchor}"'

    page = re.sub(r'<img alt="([^"]*)" src="http[^>]*>', r"\1", page)
    return re.sub(r'href="(?![a-z]+:|#)([^"#]+)(#[^"]*)?"', lead, page)


def write_page(notebook, path, root):
    """Write a notebook as a page, and its picture beside it."""
    notebook = copy.deepcopy(notebook)
    if figure := stored_figure(notebook, "picture"):
        pictures = path.parent / "pictures"
        pictures.mkdir(exist_ok=True)
        (pictures / f"{path.stem}.png").write_bytes(figure)
    else:  # a lesson that failed may have no picture
        for cell in notebook.cells:
            missing = r"!\[[^]]*\]\(pictures/[^)]*\)"
            cell.source = re.sub(missing, "", cell.source)
    exporter = HTMLExporter(
        extra_loaders=[TEMPLATES],
        template_file="page.html.j2",
        mathjax_url=MATHJAX,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.log.setLevel("ERROR")
    name = {"metadata": {"name": title(notebook)}}
    page, _ = exporter.from_notebook_node(notebook, resources=name)
    write_text(path, page_links(page, read_project(root)))


def write_documents(root, out):
    """Write the pages of notation and of the scoreboard."""
    for name in ["notation", "scoreboard"]:
        source = root / "notebooks" / f"{name}.md"
        if source.exists():
            text = nbformat.v4.new_markdown_cell(source.read_text("utf-8"))
            notebook = nbformat.v4.new_notebook(cells=[text])
            write_page(notebook, out / f"{name}.html", root)


def write_index(root, out, paths, results, states):
    """Write the page that lists the lessons, and how far they are."""
    lessons = []
    for name, path in paths.items():
        notebook = read(path)
        lessons.append(
            {
                "name": name,
                "title": title(notebook),
                "question": question(notebook),
                "state": states.get(name, ""),
                "result": results.get(name),
                "picture": (out / "pictures" / f"{name}.png").exists(),
            }
        )
    page = Environment(loader=TEMPLATES, autoescape=True)
    text = page.get_template("index.html.j2").render(
        lessons=lessons,
        busy=bool(states),
        notation=(out / "notation.html").exists(),
        scoreboard=(out / "scoreboard.html").exists(),
    )
    write_text(out / "index.html", text)
