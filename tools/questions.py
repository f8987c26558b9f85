"""A question bank for learning systems, from *Check yourself* of the lessons.

A question has one right answer in either of two forms. Options stand below
it, a line each, as in `- **a** the mean`, and the folded answer begins with
the right letter: `**a.** Because ...`. Or the answer begins with a number,
which may have a margin: `**= 75.**`, `**= 0.502 ± 0.001.**`. Any other
question is open, and is left out.

`python -m tools.questions` writes build/questions: for each lesson, and for
all of them, a text in the format of text2qti, and a zip that holds QTI 1.2.
"""

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from text2qti.config import Config
from text2qti.qti import QTI
from text2qti.quiz import Quiz

from tools.notebooks import ROOT, read_lessons, title, write_text

OUT = ROOT / "build" / "questions"
HOME = "A Gentle Introduction to Generative Modelling"
LICENCE = "CC BY 4.0 - https://creativecommons.org/licenses/by/4.0/legalcode"
FOLDED = (
    r"(?s)\*\*(\d+)\.\*\* (.*?)\n\n"
    r"<details><summary>Answer</summary>\n\n(.*?)\n\n</details>\s*"
)
OPTION = r"- \*\*(\w+)\*\* (.*)"
LETTER = r"\*\*([a-z])\.?\*\*"
NUMBER = r"\*\*= ([-−]?\d[\d,]*(?:\.\d+)?)(?: ± (\d+(?:\.\d+)?))?\.\*\* "


@dataclass
class Question:
    """A question with one right answer: a letter, or a number and a margin."""

    number: int
    text: str
    right: str
    why: str
    margin: str
    options: dict[str, str]


def closed_questions(notebook: NotebookNode) -> list[Question]:
    """Questions of a lesson's *Check yourself* that have one right answer.

    Raises
    ------
    ValueError
        If a question has not the form that this module describes; the
        message names lesson and question.
    """
    lesson = title(notebook)
    texts = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    whole = "\n\n".join(texts) + "\n\n## "
    part = re.search(r"(?ms)^## Check yourself\n+(.*?)^## ", whole)
    blocks = re.split(r"(?<=</details>)\s*", part[1].strip() if part else "")
    found = []
    for i, block in enumerate(filter(None, blocks), 1):
        try:
            if not block.startswith(f"**{i}.** "):
                raise ValueError(f"got {block[:9]!r}, expected '**{i}.** '")
            question = parse(block)
        except ValueError as error:
            where = f"lesson {lesson}: Check yourself, question {i}"
            raise ValueError(f"{where}: {error}") from None
        if question:
            found.append(question)
    return found


def parse(block: str) -> Question | None:
    """A question and its folded answer, or None if the question is open."""
    match = re.fullmatch(FOLDED, block)
    if not match or "<details>" in match[3]:
        raise ValueError("there must be '**1.** ', a text, a folded answer")
    text, *lists = re.split(r"\n\n(?=- )", match[2])
    if len(lists) > 1:
        raise ValueError("the options must be one list")
    options = read_options(lists[0]) if lists else {}
    right, margin, why = read_answer(match[3], options)
    if not right:
        return None
    return Question(
        int(match[1]), flat(text), right, flat(why), margin, options
    )


def read_answer(text: str, options: dict[str, str]) -> tuple[str, str, str]:
    """What is right, its margin, and why; nothing is right if all is open."""
    named, number = re.match(LETTER, text), re.match(NUMBER, text)
    if options:
        if not named:
            raise ValueError("its answer does not begin with the right letter")
        letters = sorted(set(re.findall(LETTER, text)))
        if len(letters) > 1:
            raise ValueError(f"right are {', '.join(letters)}, expected one")
        if named[1] not in options:
            raise ValueError(f"{named[1]!r} is none of {', '.join(options)}")
        return named[1], "0", text[named.end() :]
    if named:
        raise ValueError("its answer is a letter, and there are no options")
    if number:
        right = number[1].replace(",", "").replace("−", "-")
        margin = number[2] or "0"
        if abs(float(right)) - float(margin) < 1e-4:
            raise ValueError("0 may not be right: text2qti refuses it")
        return right, margin, text[number.end() :]
    if re.match(r"\*\*[-=−\d]", text):
        start = text.split("\n")[0][:30]
        forms = "'**= 2.** ' or '**= 0.5 ± 0.1.** '"
        raise ValueError(f"{start!r}, expected {forms}")
    return "", "0", text


def read_options(lines: str) -> dict[str, str]:
    """Text of each option, by its letter."""
    found = [re.fullmatch(OPTION, line) for line in lines.split("\n")]
    pairs = [(m[1], m[2].strip()) for m in found if m]
    options = dict(pairs)
    letters = "".join(letter for letter, _ in pairs)
    if len(pairs) < len(found) or letters != "abcdefgh"[: len(pairs)]:
        raise ValueError(
            "its options must be lines '- **a** ', '- **b** ' ..."
        )
    if len(options) < 2:
        raise ValueError("there is one option, expected two or more")
    if len(set(options.values())) < len(options):
        raise ValueError("two options are the same")
    return options


def flat(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())


def as_text(heading: str, lessons: dict[int, list[Question]]) -> str:
    """Questions by lesson, in the format of text2qti."""
    lines = [
        f"Quiz title: {heading}",
        f"Quiz description: Check yourself, of {HOME}. Licence: CC BY 4.0.",
        "Shuffle answers: true",
    ]
    pairs = [(n, q) for n, questions in lessons.items() for q in questions]
    for i, (lesson, q) in enumerate(pairs, 1):
        lines += ["", f"Title: Lesson {lesson}, question {q.number}"]
        lines += [f"{i}. {q.text}", f"... {q.why}"]
        for letter, option in q.options.items():
            star = "*" if letter == q.right else ""
            lines.append(f"{star}{letter}) {option}")
        if not q.options:
            lines.append(f"= {q.right} +- {q.margin}")
    return "\n".join(lines) + "\n"


def as_zip(text: str) -> bytes:
    """QTI 1.2 of such a text, the same bytes each time.

    text2qti writes the date, and that the questions are private; neither is
    kept.
    """
    qti = QTI(Quiz(text, config=Config()))
    for old, new in [
        (r"(?<=<imsmd:dateTime>).*?(?=<)", "1980-01-01"),
        (r"Private \(Copyrighted\).*?(?=<)", LICENCE),
    ]:
        qti.imsmanifest_xml = re.sub(old, new, qti.imsmanifest_xml)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(qti.zip_bytes())) as theirs:
        with zipfile.ZipFile(stream, "w") as ours:
            for name in theirs.namelist():
                ours.writestr(
                    zipfile.ZipInfo(name),  # its date is 1980
                    theirs.read(name),
                    zipfile.ZIP_DEFLATED,
                )
    return stream.getvalue()


def write_bank(
    lessons: dict[str, NotebookNode], out: Path = OUT
) -> list[Path]:
    """Write a text and a zip for each lesson, and for all; return the zips."""
    banks = {}
    for name, notebook in lessons.items():
        number, questions = int(name[:2]), closed_questions(notebook)
        banks[Path(name).stem] = (title(notebook), {number: questions})
    every = {n: q for _, bank in banks.values() for n, q in bank.items()}
    banks["all_lessons"] = (HOME, every)
    out.mkdir(parents=True, exist_ok=True)
    for name, (heading, bank) in banks.items():
        text = as_text(heading, bank)
        write_text(out / f"{name}.txt", text)
        (out / f"{name}.zip").write_bytes(as_zip(text))
    return [out / f"{name}.zip" for name in banks]


def main() -> None:
    """Write the question bank of all lessons, and say how large it is."""
    lessons = read_lessons()
    *_, last = write_bank(lessons)
    count = sum(len(closed_questions(lesson)) for lesson in lessons.values())
    print(f"{count} questions of {len(lessons)} lessons: {last.parent}")
    print(f"import one of the zips, such as {last.name}, or edit the .txt")


if __name__ == "__main__":
    main()
