"""What a lesson must be. Each rule yields its complaints about a notebook."""

import ast
import io
import re
import statistics
import tokenize
from itertools import pairwise

from tools.notebooks import as_text, code_cells, read, tagged, tags
from tools.project import FOLDED, SETUP, read_project
from tools.questions import closed_questions
from tools.run import METADATA

LAST_HEADINGS = [
    "Check yourself",
    "What we learned",
    "Exercises",
    "Further reading",
]
TAGS = {
    "set-up",
    "picture",
    "check-formula",
    "nbval-check-output",
    "scoreboard",
    "model",
    "knob",
    "raises-exception",
    "slide",
}


def complaints(path, notebook=None):
    """All complaints about the lesson stored at a path."""
    notebook = notebook or read(path)
    found = [line for rule in RULES for line in rule(notebook, path)]
    size = len(as_text(notebook).encode())
    if size >= 1e6:
        found.append(f"the file has {size:,} bytes, at most 1,000,000")
    return found


def code_lines(source):
    """Number of lines with code: no blank line, comment or docstring."""
    lines, starts_statement = set(), True
    layout = {tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in layout or token.type == tokenize.ENDMARKER:
            continue
        if token.type == tokenize.NEWLINE:
            starts_statement = True
            continue
        if not (token.type == tokenize.STRING and starts_statement):
            lines.update(range(token.start[0], token.end[0] + 1))
        starts_statement = False
    return len(lines)


def text_lines(source):
    """Number of lines that alternative texts take beyond one a figure."""
    return sum(
        node.end_lineno - node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "show"
    )


def import_lines(source):
    """Number of lines that imports take."""
    return sum(
        node.end_lineno - node.lineno + 1
        for node in ast.parse(source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )


def texts(notebook):
    """Sources of the markdown cells, without fenced code."""
    return [
        re.sub(r"(?ms)^```.*?^```", "", cell.source)
        for cell in notebook.cells
        if cell.cell_type == "markdown"
    ]


def without_maths(text):
    """A text with a letter for each of its equations."""
    return re.sub(r"(?s)\$\$.*?\$\$|\$[^$]*\$", "x", text)


def printed(cell):
    """Text that the outputs of a cell show."""
    return "\n".join(
        out.get("text", "") or out.get("data", {}).get("text/plain", "")
        for out in cell.outputs
        if "image/png" not in out.get("data", {})
    )


def headings(notebook, level):
    """Headings of one level, in order."""
    pattern = rf"(?m)^{'#' * level} (.*?)\s*$"
    return [h for text in texts(notebook) for h in re.findall(pattern, text)]


def names(notebook, path):
    """Title, question, badges, labels of the opening, last headings."""
    number = int(path.name[:2])
    first, opening = (cell.source for cell in notebook.cells[:2])
    if not first.startswith(f"# {number}. "):
        yield f"the title must start with '# {number}. '"
    if len(headings(notebook, 1)) != 1:
        yield "there must be one heading of the first level"
    for site in ["mybinder.org/v2/", "colab.research.google.com/github/"]:
        if site not in first:
            yield f"the first cell has no badge of {site}"
    if not re.match(r"\*[^*\n]+\?\*\n", opening):
        yield "the second cell must start with *a question?* on its own line"
    labels = re.findall(r"(?m)^\*\*(You [a-z]+(?: [a-z]+)?)\*\*", opening)
    if labels != ["You will make", "You will learn", "You need"]:
        yield f"the opening has the labels {labels}"
    goals = len(re.findall(r"(?m)^[-*] ", opening))
    if not 3 <= goals <= 5:
        yield f"You will learn has {goals} bullets, not 3 to 5"
    if headings(notebook, 2)[-4:] != LAST_HEADINGS:
        yield f"the last headings must be {', '.join(LAST_HEADINGS)}"


def closing(notebook, path):
    """What stands under the last headings."""
    whole = "\n\n".join(texts(notebook))
    parts = dict(re.findall(r"(?ms)^## (.*?)\s*$(.*?)(?=^## |\Z)", whole))
    check, learned, exercises, reading = map(
        lambda name: parts.get(name, ""), LAST_HEADINGS
    )
    answers = re.findall(
        r"<details>\s*<summary>Answer</summary>\s*?\n\s*?\n.*?</details>",
        check,
        re.S,
    )
    if not 3 <= len(answers) <= 5:
        yield f"Check yourself has {len(answers)} folded answers, not 3 to 5"
    if len(re.findall(r"(?m)^[-*] ", learned)) < 3:
        yield "What we learned must mirror the bullets of You will learn"
    if f"](exercises/{path.name})" not in exercises:
        yield "Exercises do not lead to the notebook of exercises"
    links = len(re.findall(r"\]\(https?:", reading))
    if not 3 <= links <= 5:
        yield f"Further reading has {links} links, not 3 to 5"


def questions(notebook, path):
    """Three questions or more have one right answer, for learning systems."""
    try:
        n = len(closed_questions(notebook))
    except ValueError as error:
        yield str(error)
        return
    if n < 3:
        yield f"{n} questions have one right answer, at least 3"


def caps(notebook, path):
    """Length and width; the set-up cell, the same anywhere, is not counted.

    Nor do cells tagged model count for the whole lesson: what they define is
    a contract (tools/networks.py), and they have a cap of their own.
    """
    cells = [c for c in code_cells(notebook) if "set-up" not in tags(c)]
    code = [cell.source for cell in cells]
    own = [cell.source for cell in cells if "model" not in tags(cell)]
    count = {s: code_lines(s) - text_lines(s) for s in code}
    lines = [count[source] - import_lines(source) for source in code]
    total = sum(count[source] for source in own)
    model = sum(count.values()) - total
    defs = sum(
        isinstance(node, ast.FunctionDef | ast.ClassDef)
        for cell in cells
        if not tags(cell) & {"model", "knob"}
        for node in ast.parse(cell.source).body
    )
    prose = without_maths("\n".join(texts(notebook)[1:]))
    prose = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", prose)
    words = sum(bool(re.search(r"\w", word)) for word in prose.split())
    for what, n, most in [
        ("cells", len(notebook.cells), 80),
        ("code lines", total, 240),
        ("code lines in cells tagged model", model, 120),
        ("functions and classes", defs, 10),
        ("words", words, 2300),
        ("code lines in half of the cells", statistics.median(lines), 5),
    ]:
        if n > most:
            yield f"{n} {what}, at most {most}"
    share = len(texts(notebook)) / len(notebook.cells)
    if not 0.45 <= share <= 0.55:
        yield f"{share:.0%} of the cells are prose, not 45 to 55 %"
    if words < 800:
        yield f"{words} words, at least 800"
    for source, n_lines in zip(code, lines, strict=True):
        if n_lines > 18:
            yield f"{n_lines} code lines in a cell, at most 18: {head(source)}"
        if any(len(line) > 79 for line in source.splitlines()):
            yield f"a line is wider than 79: {head(source)}"
    for word in re.findall(r"(?i)\b(?:simply|just|obviously)\b", prose):
        yield f"the prose says {word!r}"


def head(source):
    """First line of a cell, to find it by."""
    return source.strip().split("\n")[0][:60]


def set_up(notebook, path):
    """The set-up cell comes first, is short, folded, and anywhere the same."""
    found = tagged(notebook, "set-up")
    facts = read_project(path.parents[1])
    if [c.source for c in found] != [SETUP.format(**facts)]:
        yield "there must be one set-up cell, the same in each lesson"
    if found[:1] != code_cells(notebook)[:1]:
        yield "the set-up cell must be the first code cell"
    for cell in found:
        if code_lines(cell.source) > 10:
            yield "the set-up cell has more than ten lines of code"
        if cell.metadata != {"tags": ["set-up"], **FOLDED}:
            yield "the set-up cell is not folded"


def execution(notebook, path):
    """Stored as restart-and-run-all leaves it, with nothing unwanted."""
    cells = code_cells(notebook)
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        yield f"execution counts are {counts}, not 1 to {len(cells)}"
    if notebook.metadata != METADATA:
        yield "the notebook's metadata are not those of make refresh"
    for cell in notebook.cells:
        folds = FOLDED if "set-up" in tags(cell) else {}
        if set(cell.metadata) - {"tags", *folds}:
            yield f"cell metadata {set(cell.metadata)}: {head(cell.source)}"
        for tag in tags(cell) - TAGS:
            yield f"unknown tag {tag!r}: {head(cell.source)}"
    for cell in cells:
        for out in cell.outputs:
            kinds = " ".join(out.get("data", {}))
            if out.output_type == "error" and not tags(cell) >= {
                "raises-exception",
                "nbval-check-output",
            }:
                yield f"an error is stored: {head(cell.source)}"
            if out.get("name") == "stderr":
                yield f"stderr is stored: {head(cell.source)}"
            if "svg" in kinds or "widget" in kinds:
                yield f"an output of {kinds}: {head(cell.source)}"


def checked_outputs(notebook, path):
    """Cells that nbval compares have something to compare."""
    cells = tagged(notebook, "nbval-check-output")
    if len(cells) < 6:
        yield f"{len(cells)} cells tagged nbval-check-output, at least 6"
    for cell in cells:
        raises = "raises-exception" in tags(cell)
        if cell.execution_count is None or not cell.outputs:
            yield f"a tagged cell is not executed: {head(cell.source)}"
        elif not printed(cell).strip() and not raises:
            yield f"a tagged cell prints nothing: {head(cell.source)}"
        if re.search(r"\b0x[0-9a-f]{6,}", printed(cell)):
            yield f"a tagged cell prints an address: {head(cell.source)}"


def formulas(notebook, path):
    """Each display equation is checked before the next one."""
    equation = None
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "$$" in cell.source:
            if cell.source.count("$$") > 2:
                yield f"two equations in one cell: {head(cell.source)}"
            if equation:
                yield f"an equation without a check: {equation}"
            equation = " ".join(cell.source.split("$$")[1].split())[:60]
        if "check-formula" in tags(cell):
            if "nbval-check-output" not in tags(cell):
                yield f"a check is not compared: {head(cell.source)}"
                continue
            equation, told = None, printed(cell)
            if "True" not in told or "False" in told:
                yield f"a check does not print True: {head(cell.source)}"
    if equation:
        yield f"an equation without a check: {equation}"


def picture(notebook, path):
    """One cell draws the picture at the top; pictures are files, with text."""
    drawn = len(tagged(notebook, "picture"))
    if drawn != 1:
        yield f"{drawn} cells tagged picture, not 1"
    if f"](pictures/{path.stem}.png)" not in notebook.cells[1].source:
        yield f"the opening does not show pictures/{path.stem}.png"
    for cell in notebook.cells:
        if cell.get("attachments"):
            yield f"an attachment, which Colab hides: {head(cell.source)}"
        for alt, file in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", cell.source):
            if not alt.strip():
                yield f"the picture {file} has no text beside it"


def links(notebook, path):
    """Relative links lead somewhere, the others have the form of one."""
    home = read_project(path.parents[1])["url"]
    for text in texts(notebook):
        prose = without_maths(text)
        for target in re.findall(r"\]\(([^)\s]*)[^)]*\)", prose):
            yield from broken_link(target, notebook, path, home)


def broken_link(target, notebook, path, home):
    """Complaint about one link, if there is one."""
    if target.startswith(home):
        return
    if re.match(r"[a-z]+:", target):
        if not re.match(r"https?://[\w-]+(\.[\w-]+)+(/|$)", target):
            yield f"not an address: {target}"
        return
    file, _, anchor = target.partition("#")
    there = path.parent / file if file else path
    if not there.exists():
        yield f"the link leads nowhere: {target}"
    elif anchor and there.suffix == ".ipynb":
        other = read(there) if file else notebook
        known = [h for n in (1, 2, 3) for h in headings(other, n)]
        if anchor not in [h.replace(" ", "-") for h in known]:
            yield f"the link's heading is not there: {target}"


def gentle(notebook, path):
    """Guesses are asked for; what may be skipped stands last and says so."""
    mark, guesses = "**Before you run it:**", 0
    for cell, after in pairwise(notebook.cells):
        if mark in (cell.source if cell.cell_type == "markdown" else ""):
            guesses += 1
            last = cell.source.strip().split("\n\n")[-1]
            if not last.startswith(mark) or after.cell_type != "code":
                yield f"no cell to run follows a guess: {last[:60]}"
    if guesses < 3:
        yield f"{guesses} guesses are asked for by {mark!r}, at least 3"
    second = headings(notebook, 2)
    if "Going further" in second and second[-5] != "Going further":
        yield "Going further does not stand before Check yourself"
    whole = "\n\n".join(texts(notebook))
    if re.search(r"(?m)^## Going further\s*\n(?!\s*You may skip)", whole):
        yield "Going further must start with 'You may skip'"


def alternative_texts(notebook, path):
    """Each figure says in words of its own what is to be seen."""
    seen = set()
    for cell in code_cells(notebook):
        for text in alternatives(cell):
            words = len(text.split())
            if not 8 <= words <= 60:
                yield f"{words} words, not 8 to 60, in {text!r}"
            if re.match(FILLER, text):
                yield f"says what kind of figure it is, not what: {text!r}"
            if text in seen:
                yield f"two figures have one text: {text!r}"
            seen.add(text)


FILLER = r"(?i)(an? |the )?(figure|plot|picture|image|graph|chart|output)\b"


def alternatives(cell):
    """Alternative texts of the figures that a cell has stored."""
    return [
        out.metadata.get("image/png", {}).get("alt", "")
        for out in cell.outputs
        if "image/png" in out.get("data", {})
    ]


RULES = [
    names,
    closing,
    questions,
    gentle,
    alternative_texts,
    caps,
    set_up,
    execution,
    checked_outputs,
    formulas,
    picture,
    links,
]
