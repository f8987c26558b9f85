"""Slides of each lesson, by reveal.js, in build/slides: `make slides`.

Title, picture, and what stands at a lesson's end are always on them. A cell
tagged `slide` adds its formula and its question, or else its figure, or what
it prints, under the head of its section. They need no network.
"""

import re
import shutil
from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from nbconvert.filters import markdown2html
from nbformat import NotebookNode

from tools.notebooks import (
    ROOT,
    question,
    read_lessons,
    tagged,
    tags,
    title,
    write_text,
)

ASK = "**Before you run it:**"
READS = r"In words|Read|Here|This|where"  # so begins what reads a formula out
ANSWER = r"(?s)(.*?)<details>.*?</summary>(.*?)</details>"
WHOLE = r"(?s)\$[^$]+\$|`[^`]+`|\[[^\]]*\]\([^)]*\)"  # no sentence ends in it
BESIDE, ALONE = 40, 60  # words on a slide at most; beside something, alone
REVEAL = ["dist/reveal.css", "dist/reveal.js", "LICENSE"]
FONT = "dist/theme/fonts/source-sans-pro"


@dataclass
class Slide:
    """One slide; texts are Markdown, `png` is in base64."""

    kind: str
    text: str = ""
    tex: str = ""
    more: str = ""
    png: str = ""
    alt: str = ""
    printed: str = ""
    head: str = ""

    @property
    def tall(self) -> bool:
        """Whether the figure wants all of the height, and text beside it."""
        size = a2b_base64(self.png[:32])[16:24]  # of a PNG: width, height
        return int.from_bytes(size[4:]) > 0.75 * int.from_bytes(size[:4])


def make_slides(notebook: NotebookNode) -> list[Slide]:
    """The slides of a lesson, in order."""
    return [*_opening(notebook), *_body(notebook), *_closing(notebook)]


def _opening(notebook: NotebookNode) -> Iterator[Slide]:
    yield Slide("title", question(notebook))
    _, made, picture, *_ = _paragraphs(notebook.cells[1])
    alt = picture.removeprefix("![").split("](")[0]
    figure = _result(tagged(notebook, "picture")[0]) | {"alt": alt}
    yield Slide("result", made, **figure)


def _body(notebook: NotebookNode) -> Iterator[Slide]:
    """What is tagged, and before it the head of its section."""
    section = shown = ""
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            found = [*_parts(cell)]
        else:
            found = [_figure(cell, notebook.cells[i + 1 :])]
        for slide in found:
            if slide.kind == "section":
                section = slide.text
            elif "slide" in tags(cell):
                if section != shown:
                    yield Slide("section", section)
                shown = section
                yield replace(slide, head=section)


def _parts(cell):
    """Heads, questions, and formulas with a sentence or two.

    One stands before the formula; the other one after it, and reads it out.
    """
    parts = ["", *_paragraphs(cell), ""]
    for before, part, after in zip(parts, parts[1:], parts[2:], strict=False):
        if part.startswith("## "):
            yield Slide("section", part[3:])
        elif part.startswith("$$"):
            says = _last_sentence(before)
            reads = _brief(after, 1) if re.match(READS, after) else ""
            if len(f"{says} {reads}".split()) > BESIDE:
                reads = ""
            yield Slide("formula", says, tex=part.strip("$"), more=reads)
        elif part.startswith(ASK):
            asked = part.removeprefix(ASK).strip()
            yield Slide("question", asked[0].upper() + asked[1:])


def _figure(cell, below):
    """A figure, or what is printed, and what the text below says of it.

    Where a section or another slide comes next, the alternative text says it.
    """
    result = _result(cell)
    texts = ("slide" in tags(c) or c.cell_type == "markdown" for c in below)
    after = next(c for c, text in zip(below, texts, strict=False) if text)
    text = after.source if after.cell_type == "markdown" else "#"
    first = re.split(r"\n\s*\n|\n- ", text.strip().removeprefix("- "))[0]
    says = "" if first.startswith("#") else _brief(first)
    return Slide("result", says or _brief(result.get("alt", "")), **result)


def _closing(notebook: NotebookNode) -> Iterator[Slide]:
    """Questions with their answers, what was learned, and where it fails."""
    whole = "\n\n".join(
        cell.source for cell in notebook.cells if cell.cell_type == "markdown"
    )
    last = r"(?m)^## (?:Check yourself|What we learned|Exercises)\s*$"
    _, check, learned, _ = re.split(last, whole)
    yield Slide("section", "Check yourself")
    for asked, answer in re.findall(ANSWER, check):
        asked = re.sub(r"^\**\d\.\**\s*", "", asked.strip())
        text = _brief(answer, 30)
        yield Slide("check", asked, more=text, head="Check yourself")
    points, fails = learned.split("**Where it fails.**")
    listed = re.split(r"(?m)^(?=- )", points)[1:]
    n_slides = -(-len(points.split()) // ALONE)
    each = -(-len(listed) // n_slides)
    for i in range(0, len(listed), each):
        few = "".join(listed[i : i + each])
        yield Slide("learned", few, head="What we learned")
    yield Slide("fails", _brief(fails, ALONE), head="Where it fails")


def _paragraphs(cell):
    return re.split(r"\n\s*\n", cell.source.strip())


def _sentences(text):
    """Sentences of a paragraph; its formulas, code and links stay whole."""
    held = iter(re.findall(WHOLE, text))
    parts = re.split(r"(?<=[.?!])\s+", re.sub(WHOLE, "\0", text.strip()))
    return [re.sub("\0", lambda _: next(held), part) for part in parts]


def _brief(text, words=BESIDE):
    """The first sentences, as many as fit; none that leads to a formula."""
    said = ""
    for sentence in _sentences(text):
        longer = f"{said} {sentence}".strip()
        whole = re.search(r"[.?!][)*\"]*$", sentence)
        if not whole or said and len(longer.split()) > words:
            break
        said = longer
    return said


def _last_sentence(text):
    """The last sentence; with the one before it, where both are short."""
    if text.startswith("#"):
        return ""
    both = _sentences(text)[-2:]
    short = len(both[-1].split()) < 7 and len(" ".join(both).split()) < 25
    return " ".join(both) if short else both[-1]


def _result(cell):
    """Figure and its alternative text, or else the text that is printed."""
    printed = ""
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            alt = output.metadata["image/png"]["alt"]
            return {"png": data["image/png"], "alt": alt}
        printed += output.get("text", "") or data.get("text/plain", "")
    return {"printed": printed.rstrip()}


def as_html(text: str) -> str:
    """HTML of a text in Markdown, without its links."""
    return re.sub(r"</?a\b[^>]*>", "", markdown2html(text))


def copy_scripts(out: Path) -> None:
    """Copy what the slides need of reveal.js and of MathJax."""
    reveal = files("sphinx_revealjs") / "_static" / "revealjs"
    mathjax = files("sphinx-mathjax-offline") / "static" / "mathjax"
    for name in REVEAL:
        shutil.copy(str(reveal / name), out)
    shutil.copytree(str(reveal / FONT), out / "font", dirs_exist_ok=True)
    shutil.copy(str(mathjax / "tex-svg-full.js"), out)


def write_slides(out: Path, root: Path = ROOT) -> list[Path]:
    """Write the slides of all lessons, and a page that leads to them.

    Parameters
    ----------
    out : Path
        The folder for them; what else it holds stays.
    root : Path
        The project's folder.

    Returns
    -------
    list of Path
        The decks, in order.
    """
    out.mkdir(parents=True, exist_ok=True)
    copy_scripts(out)
    source = root / "site" / "slides"
    shutil.copy(source / "slides.css", out)
    page = Environment(loader=FileSystemLoader(source), autoescape=True)
    page.filters["html"] = as_html
    decks: list[dict[str, Any]] = []
    for name, notebook in read_lessons(root).items():
        deck = {"title": title(notebook), "slides": make_slides(notebook)}
        text = page.get_template("deck.html.j2").render(deck)
        path = (out / name).with_suffix(".html")
        write_text(path, text)
        decks.append({"path": path, "question": question(notebook), **deck})
    text = page.get_template("index.html.j2").render(decks=decks)
    write_text(out / "index.html", text)
    return [deck["path"] for deck in decks]


if __name__ == "__main__":
    folder = ROOT / "build" / "slides"
    write_slides(folder)
    print(folder / "index.html")
