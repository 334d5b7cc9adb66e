"""Builds the notebooks from their sources.

    python notebooks/build.py [NAME ...] [--check | --record [--student NAME] | --replay | --prose | --count]

`notebooks/src/NN_topic.py` (py:percent) becomes two notebooks: `notebooks/NN_topic.ipynb`, what learners open, without
the solutions, and `notebooks/solutions/NN_topic.ipynb`, where each exercise is replaced by its solution. Both are
executed and their outputs kept (the learner's without those that would spoil a guess), the solved one with the adapters
that are stored (COURSE_REPLAY=1): a solution that its own check refuses is not written. NAME is the beginning of a name
("02"); without one, all are built. What is deeper than a lesson, `notebooks/src/appendix/NN_topic.py`, becomes
notebooks in the same way, in folders `appendix`; their names begin with "appendix/02".

--check     only say whether the built notebooks are what their sources would give; runs nothing
--record    keep every adapter that is trained in data/adapters, and note in used.json which notebook needs which;
            when all are built, adapters that nothing needs are deleted
--student   with --record: another student, such as qwen-0.5b, does the lesson as a learner with `COURSE_MODEL` would,
            however long it takes; its adapters are kept, and nothing is built
--prose     take new prose, comments and layout and keep the outputs: nothing runs, no code cell may do anything else
--replay    take the adapters of data/adapters instead of training (COURSE_REPLAY=1)
--count     build nothing: run the learner's notebook as --replay does, and keep what work there is in it

How much a lesson reads, writes and trains on is counted whenever it runs (`counting.py`) and kept in `data/results/`,
with the minutes that this takes where the course states its minutes.

A notebook that breaks a rule of the course is not written; the cell is named.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import os
import re
import shutil
import symtable
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
APPENDIX = "appendix"
ADAPTERS = ROOT / "data" / "adapters"
MAX_CODE_LINES = 15
# What keeps ruff from laying a source's list out a line an entry: no learner needs to read it.
UNFORMATTED = re.compile(r"  # fmt: skip$", re.MULTILINE)
FILLS = re.compile(r"[^\n#]{0,40}:")  # "And measured:" leads to the next cell, and says nothing
MAX_WIDTH = 88  # on a projector, and without a bar to scroll sideways by at 1280 pixels
CELL_TIMEOUT = 1800
TAGS = {"setup", "exercise", "solution", "plain", "nbval-ignore-output", "hide-input"}
# What folds a cell's source: Jupyter's own key for JupyterLab and Notebook, and Colab's, which shows the first line's
# `# @title` in its place. VS Code reads no such key from a file (its issue 158716), so a folded cell stays short.
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}
FOLDED_ANSWER = "<details><summary>"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# What stands for a widget in plain text; the second kind is a bar of tqdm, which some libraries draw.
WIDGET_TEXT = re.compile(r"(HBox|VBox|Box|Label|IntProgress|FloatProgress|Output)\(|[^\n]*\d+%\|")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LINK = re.compile(r"(\]\()(?![a-z]+:|#|/)")
# Between two of them a page sets what stands there as mathematics, and needs a network for it: formulas are text here.
DOLLAR = re.compile(r"(?<!\\)\$")
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
# JupyterLab takes them for mathematics even where they are escaped, but not across the end of an element.
ESCAPED_DOLLAR = re.compile(rf"({CODE.pattern})|\\\$", re.DOTALL)
GUESS = re.compile(r"\bcl\.predict(?:_choice)?\(\s*[\"']([^\"']+)")
REVEAL = re.compile(r"\bcl\.reveal\(\s*[\"']([^\"']+)")
HEADING = re.compile(r"^#+ ", re.MULTILINE)


class BuildError(Exception):
    """A source or a notebook breaks a rule; the message names the cell."""


def sources(names: Iterable[str] = (), folder: Path = NOTEBOOKS / "src") -> list[Path]:
    """The sources whose names begin with one of `names`; all of them, the appendix last, if none is given."""
    paths = numbered(folder, "py")
    names = list(names)
    for name in names:
        if not any(name_of(path).startswith(name) for path in paths):
            there = ", ".join(map(name_of, paths)) or "none"
            raise BuildError(f"no source begins with {name!r}; there are: {there}")
    return [path for path in paths if not names or name_of(path).startswith(tuple(names))]


def numbered(folder: Path, kind: str) -> list[Path]:
    """The files `NN_*.kind` of a folder, and then those of the appendix in it."""
    return [path for place in (folder, folder / APPENDIX) for path in sorted(place.glob(f"[0-9][0-9]_*.{kind}"))]


def in_appendix(path: Path) -> bool:
    """Whether a source or a notebook is the appendix's, not a lesson."""
    return path.parent.name == APPENDIX


def name_of(path: Path) -> str:
    """What a source and its notebook are called: "02_books", and in the appendix "appendix/02_books"."""
    return f"{APPENDIX}/{path.stem}" if in_appendix(path) else path.stem


def read_source(path: Path) -> NotebookNode:
    """A source as a notebook, its metadata reduced to tags, its exercises each with a solution."""
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        tags = list(cell.metadata.get("tags", []))
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        cell.source = UNFORMATTED.sub("", cell.source)
        if unknown := set(tags) - TAGS:
            raise BuildError(f"{where(path, number, cell)}: unknown tag {', '.join(sorted(unknown))}")
    for number, (cell, after) in enumerate(zip(notebook.cells, [*notebook.cells[1:], None])):
        if "exercise" in tags_of(cell) and (after is None or "solution" not in tags_of(after)):
            raise BuildError(f"{where(path, number, cell)}: an exercise without a solution cell right after it")
        if (
            number
            and "solution" in tags_of(cell)
            and not tags_of(notebook.cells[number - 1]) & {"exercise", "solution"}
        ):
            raise BuildError(f"{where(path, number, cell)}: a solution that follows no exercise")
    return notebook


def tags_of(cell: NotebookNode) -> set[str]:
    """A cell's tags."""
    return set(cell.metadata.get("tags", []))


def where(path: Path, number: int, cell: NotebookNode) -> str:
    """How an error names a cell: file, number from 0, first line."""
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"{path.name}, cell {number} ({first.strip()[:60]!r})"


def derive(source: NotebookNode, topic: str, without: str, foot: str = "") -> NotebookNode:
    """The learner's notebook (`without="solution"`) or the solved one (`without="exercise"`), not executed.

    In the learner's each exercise has its solution folded below it. `foot` becomes its last cell.
    """
    kept = [(place, cell) for place, cell in enumerate(source.cells) if without not in tags_of(cell)]
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": dict(KERNEL), "language_info": {"name": "python"}})
    stem = topic.replace("_", "-")[:50]
    for number, (place, cell) in enumerate(kept):
        make, text = nbformat.v4.new_code_cell, cell.source
        if cell.cell_type != "code":
            make, text = nbformat.v4.new_markdown_cell, ESCAPED_DOLLAR.sub(lambda m: m[1] or r"<span>\$</span>", text)
            text = text if without == "solution" else LINK.sub(r"\1../", text)  # one folder further down
        folded = FOLDED if tags_of(cell) & {"setup", "hide-input", "plain"} else {}
        notebook.cells.append(make(text, id=f"{stem}-{number:03d}", metadata={**cell.metadata, **folded}))
        if "exercise" in tags_of(cell):
            answer = nbformat.v4.new_markdown_cell(folded_solution(source, place), id=f"{stem}-{number:03d}-solution")
            notebook.cells.append(answer)
    if foot:
        notebook.cells.append(nbformat.v4.new_markdown_cell(foot, id=f"{stem}-foot"))
    return notebook


def folded_solution(source: NotebookNode, exercise: int) -> str:
    """What solves the exercise that is this cell of the source, folded: Markdown for JupyterLab, GitHub and Colab."""
    after = itertools.takewhile(lambda cell: "solution" in tags_of(cell), source.cells[exercise + 1 :])
    code = "\n\n".join(cell.source for cell in after)
    return f"{FOLDED_ANSWER}A solution</summary>\n\n```python\n{code}\n```\n\n</details>"


def feet(path: Path) -> tuple[str, str]:
    """The last cells of a source's two notebooks: the lessons before and after, and the other of the two.

    Relative links, which JupyterLab, GitHub and Colab follow alike.
    """
    lessons = sorted(path.parent.glob("[0-9][0-9]_*.py"))
    place = lessons.index(path)
    before = "".join(f"← [{title(one)}]({one.stem}.ipynb)" for one in lessons[max(place - 1, 0) : place])
    after = "".join(f"[{title(one)}]({one.stem}.ipynb) →" for one in lessons[place + 1 : place + 2])
    up, name = "../" * in_appendix(path), f"{name_of(path)}.ipynb"
    solved = f"[this page with all its results, and the exercises solved]({up}solutions/{name})"
    tries = f"[this page to work on]({up}../{name})"
    return tuple("---\n" + " · ".join(filter(None, (before, other, after))) for other in (solved, tries))


def title(path: Path) -> str:
    """A source's title, "02 · Open book, closed book"."""
    return next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# # "))[4:].strip()


def check_rules(notebook: NotebookNode, path: Path) -> None:
    """The course's rules for a learner's notebook that do not depend on running it.

    Raises
    ------
    BuildError
        For a long code cell, a wide line in one (but for the setup), an empty one, one that is not Python or that
        asserts (another student would stop there), an exercise that takes another cell's name, or as `check_prose`.
    """
    for number, cell in enumerate(notebook.cells):
        if not cell.source.strip():
            raise BuildError(f"{where(path, number, cell)}: the cell is empty")
        if cell.cell_type != "code":
            check_prose(cell.source, where(path, number, cell))
            continue
        if (lines := len(cell.source.splitlines())) > MAX_CODE_LINES:
            raise BuildError(f"{where(path, number, cell)}: {lines} lines, more than {MAX_CODE_LINES}")
        if "setup" not in tags_of(cell):
            for place, line in enumerate(cell.source.splitlines(), 1):
                if len(line) > MAX_WIDTH:
                    raise BuildError(f"{where(path, number, cell)}: line {place} is wider than {MAX_WIDTH} characters")
        try:
            parsed = ast.parse(cell.source)
        except SyntaxError as error:
            raise BuildError(f"{where(path, number, cell)}: not Python ({error})") from error
        if any(isinstance(node, ast.Assert) for node in ast.walk(parsed)):
            raise BuildError(f"{where(path, number, cell)}: it asserts; try the claim by cl.verdict")
    check_names(notebook, path)


def check_prose(prose: str, place: str) -> None:
    """Refuses, with a BuildError, a cell of prose that only fills, and two bare dollars in a paragraph."""
    if FILLS.fullmatch(prose.strip()):
        raise BuildError(f"{place}: it only leads to the next cell; join the cells")
    for paragraph in CODE.sub("", prose).split("\n\n"):
        if len(DOLLAR.findall(paragraph)) > 1:
            raise BuildError(f"{place}: two bare dollars in a paragraph; write \\$, formulas as text")


def check_names(notebook: NotebookNode, path: Path) -> None:
    """What an exercise leaves at None, no other cell needs: it reads `answer or something`, or not at all.

    Else an exercise that is left alone would break what is run after it, from whatever place in the page.

    Raises
    ------
    BuildError
        Names the exercise, the name and the cell that reads it.
    """
    code = [(number, cell) for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for number, cell in code:
        taken = given_and_needed(cell.source)[0] if "exercise" in tags_of(cell) else set()
        for other, reader in code:
            if other != number and (names := sorted(taken & given_and_needed(reader.source)[1])):
                raise BuildError(
                    f"{where(path, number, cell)}: the exercise sets {names[0]}, which cell {other} needs: take "
                    f"another name, or read it as `{names[0]} or ...`"
                )


def given_and_needed(code: str) -> tuple[set[str], set[str]]:
    """The names that a cell sets, and those that it needs from other cells and that may not be None there."""
    table = symtable.symtable(code, "cell", "exec")
    given = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    nodes = list(ast.walk(ast.parse(code)))
    guarded = {id(node.values[0]) for node in nodes if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)}
    read = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in guarded}
    return given, (read & _global_names(table)) - given


def _global_names(table: symtable.SymbolTable) -> set[str]:
    """Names that a scope and those inside it look up outside of all of them."""
    here = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global())
    }
    return here.union(*map(_global_names, table.get_children()))


def spoilers(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells whose results would spoil a guess: those after one, to the end of its section and its reveal.

    So would the closing table, which says again what every verdict said.
    """
    found, unrevealed, inside = [], set(), False
    for cell in notebook.cells:
        if cell.cell_type != "code":
            begins = HEADING.search(cell.source) and not cell.source.startswith(FOLDED_ANSWER)
            inside = inside and not (begins and not unrevealed)
            continue
        if inside or "cl.findings(" in cell.source:
            found.append(cell)
        unrevealed |= set(GUESS.findall(cell.source))
        inside = inside or bool(unrevealed)
        unrevealed -= set(REVEAL.findall(cell.source))
    return found


def check_executed(notebook: NotebookNode, path: Path) -> None:
    """Every code cell has run, to its end, in silence on stderr.

    Raises
    ------
    BuildError
        Names the first cell that has not.
    """
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            raise BuildError(f"{where(path, number, cell)}: was not executed")
        for output in cell.outputs:
            if output.output_type == "error":
                raise BuildError(f"{where(path, number, cell)}: {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                raise BuildError(f"{where(path, number, cell)}: wrote to stderr:\n{output.text.strip()[:2000]}")


def check_solved(notebook: NotebookNode, path: Path) -> None:
    """Every solution is one that its check accepts.

    Raises
    ------
    BuildError
        Names the first that is not.
    """
    for number, cell in enumerate(notebook.cells):
        if "solution" in tags_of(cell) and "cl.check(" in cell.source:
            said = "".join(output.get("text", "") for output in cell.outputs)
            if not re.search("^✓", said, re.MULTILINE):
                raise BuildError(f"{where(path, number, cell)}: its check says {said.strip()!r}")


def execute(
    notebook: NotebookNode, path: Path, folder: Path, environment: dict[str, str], timeout: int | None = CELL_TIMEOUT
) -> None:
    """Run a notebook in place, in `folder`, with this Python's kernel.

    Raises
    ------
    BuildError
        If a cell raises, or runs longer than so many seconds.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    try:
        client.execute(env=environment)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        started = [n for n, cell in enumerate(notebook.cells) if cell.cell_type == "code" and ran(cell)]
        number = started[-1] if started else 0
        reason = ANSI.sub("", str(error)).strip()
        raise BuildError(f"{where(path, number, notebook.cells[number])} failed:\n{reason}") from None


def ran(cell: NotebookNode) -> bool:
    """Whether a code cell was started."""
    return cell.execution_count is not None or bool(cell.outputs) or "execution" in cell.metadata


def clean(notebook: NotebookNode) -> NotebookNode:
    """Outputs without what differs from run to run: widgets, timings, colours, paths of this machine."""
    places = machine_places()
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            cell.outputs = list(_cleaned(cell.outputs, places))
    return notebook


def machine_places() -> list[tuple[str, str]]:
    """Absolute paths of this machine, and what stands for them; the longest first."""
    from course_lib.core.session import cache_dir

    named = {
        f"{ROOT}{os.sep}": "", str(ROOT): ".", str(cache_dir()): "~/.cache/open-book-closed-book",
        str(Path.home()): "~", tempfile.gettempdir(): "<temporary folder>", sys.prefix: ".venv",
    }  # fmt: skip
    return sorted(((path, name) for path, name in named.items() if len(path) > 1), key=lambda pair: -len(pair[0]))


def _cleaned(outputs: Iterable[NotebookNode], places: list[tuple[str, str]]) -> Iterator[NotebookNode]:
    last = None
    for output in outputs:
        if output.output_type in ("display_data", "execute_result"):
            output.data.pop(WIDGET_VIEW, None)
            if WIDGET_TEXT.match(output.data.get("text/plain", "")):
                output.data.pop("text/plain")
            if not output.data:
                continue
            for kind, content in output.data.items():
                if isinstance(content, str) and kind.startswith("text/"):
                    output.data[kind] = _plain(content, places)
        elif output.output_type == "stream":
            if last is not None and last.get("name") == output.name:
                last.text += _plain(output.text, places)
                continue
            output.text = _plain(output.text, places)
        if last is not None:
            yield last
        last = output
    if last is not None:
        yield last


def _plain(text: str, places: list[tuple[str, str]]) -> str:
    text = ANSI.sub("", text)
    for path, name in places:
        # A whole name: "/tmp" is not the beginning of "/tmpfile".
        text = re.sub(
            re.escape(path) + ("" if path.endswith(os.sep) else r"(?![\w-])"), lambda _, name=name: name, text
        )
    return text


def differences(path: Path, notebooks: Path = NOTEBOOKS) -> list[str]:
    """What in the two built notebooks is not what the source gives: cells and tags; outputs are not looked at."""
    source, found = read_source(path), []
    for folder, without in ((notebooks, "solution"), (notebooks / "solutions", "exercise")):
        built = folder / f"{name_of(path)}.ipynb"
        name = built.relative_to(notebooks)
        if not built.exists():
            found.append(f"{name} is not built")
            continue
        foot = feet(path)[without == "exercise"]
        wanted, got = derive(source, path.stem, without, foot).cells, nbformat.read(built, as_version=4).cells
        if len(wanted) != len(got):
            found.append(f"{name} has {len(got)} cells, its source {len(wanted)}")
        for number, (a, b) in enumerate(zip(wanted, got)):
            if any(a[key] != b[key] for key in ("id", "cell_type", "source", "metadata")):
                found.append(f"{where(built, number, b)} differs from the source")
                break
    return found


def strays(notebooks: Path = NOTEBOOKS) -> list[str]:
    """Built notebooks that have no source."""
    known = {name_of(path) for path in sources(folder=notebooks / "src")}
    folders = (notebooks, notebooks / APPENDIX, notebooks / "solutions", notebooks / "solutions" / APPENDIX)
    built = sorted(path for folder in folders for path in folder.glob("*.ipynb"))
    return [str(path.relative_to(notebooks)) for path in built if name_of(path) not in known]


def build(path: Path, mode: str, student: str | None = None) -> tuple[list[str], float, dict[str, Any]]:
    """Build both notebooks of one source; with the mode "count", or another student, none.

    Returns
    -------
    The keys of the adapters that the learner's one needed, the seconds that it ran, and its work (`counting.py`).
    """
    learner, solved = both(path)
    before, place = shelf(), (NOTEBOOKS / name_of(path)).parent
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        log, work, startup = (Path(folder) / name for name in ("adapters_used", "work.json", "startup.py"))
        startup.write_text('__import__("counting").begin()\n', encoding="utf-8")  # leaves no name in the kernel
        plain = {k: v for k, v in os.environ.items() if k not in ("COURSE_RECORD", "COURSE_REPLAY")}
        plain |= {"COURSE_PAGE": "1", "COURSE_PROGRESS": "off"}  # what the builder guessed is on no page
        environment = plain | {"COURSE_ADAPTERS_USED": str(log)}
        environment |= {"COURSE_WORK": str(work), "PYTHONSTARTUP": str(startup)}
        environment |= {} if not mode else {"COURSE_RECORD": "1"} if mode == "record" else {"COURSE_REPLAY": "1"}
        environment |= {"COURSE_MODEL": student} if student else {}
        started = time.perf_counter()
        execute(learner, path, place, environment, None if student else CELL_TIMEOUT)
        seconds = time.perf_counter() - started
        used = set(log.read_text(encoding="utf-8").split()) if log.exists() else set()
        counted = json.loads(work.read_text(encoding="utf-8")) if work.exists() else {}
    if mode == "record":
        used |= {key for key, stamp in shelf().items() if before.get(key) != stamp}
    if mode == "count" or student:
        return sorted(used), seconds, counted
    check_executed(clean(learner), path)
    execute(solved, path, place, plain | {"COURSE_REPLAY": "1"})
    check_executed(clean(solved), path)
    check_solved(solved, path)
    write_both(learner, solved, path)
    return sorted(used), seconds, counted


def reword(path: Path) -> None:
    """Take new prose, comments and layout from a source, and keep what the code cells printed.

    Raises
    ------
    BuildError
        If a code cell does something else, or its tags changed: then the notebook has to be run.
    """
    new = both(path)
    for notebook, folder in zip(new, (NOTEBOOKS, NOTEBOOKS / "solutions")):
        stored = nbformat.read(folder / f"{name_of(path)}.ipynb", as_version=4)
        ran, wanted = ([cell for cell in book.cells if cell.cell_type == "code"] for book in (stored, notebook))
        if [(does(cell), tags_of(cell)) for cell in ran] != [(does(cell), tags_of(cell)) for cell in wanted]:
            raise BuildError(
                f"{name_of(path)}: a code cell changed, so the notebook must be run: build it without --prose"
            )
        for cell, old in zip(wanted, ran):
            cell.outputs, cell.execution_count = old.outputs, old.execution_count
    write_both(*new, path)


def both(path: Path) -> tuple[NotebookNode, NotebookNode]:
    """The learner's notebook of a source and the solved one, not executed; the rules are checked."""
    source, (foot, solved_foot) = read_source(path), feet(path)
    learner = derive(source, path.stem, "solution", foot)
    solved = derive(source, path.stem, "exercise", solved_foot)
    for notebook in (learner, solved):
        check_rules(notebook, path)
    return learner, solved


def write_both(learner: NotebookNode, solved: NotebookNode, path: Path) -> None:
    """Write both notebooks of a source to their places.

    The learner's opens without what would spoil a guess; the solved one, which is there to be read, keeps all.
    """
    for cell in spoilers(learner):
        cell.outputs = []
    write(learner, NOTEBOOKS / f"{name_of(path)}.ipynb")
    write(solved, NOTEBOOKS / "solutions" / f"{name_of(path)}.ipynb")


def does(cell: NotebookNode) -> str:
    """What a code cell does, whatever its comments and its layout."""
    return ast.dump(ast.parse(cell.source))


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook whole or not at all."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    nbformat.write(notebook, draft)
    draft.replace(path)


def shelf() -> dict[str, int]:
    """Keys of the adapters on the shelf, and when each was put there."""
    cards = ADAPTERS.glob("*/card.json")
    return {json.loads(card.read_text(encoding="utf-8"))["key"]: card.stat().st_mtime_ns for card in cards}


def read_used() -> dict[str, list[str]]:
    """Who needs which adapters, from `used.json`: notebooks ("NAME@STUDENT": run by another student), or scripts."""
    path = ADAPTERS / "used.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_used(used: dict[str, list[str]]) -> None:
    """Keep who needs which adapters; those who are gone (no source, no such script) need none."""
    known = {name_of(path) for path in sources()}
    kept = {
        name: keys
        for name, keys in sorted(used.items())
        if keys and (name.partition("@")[0] in known or (ROOT / name).is_file())
    }
    ADAPTERS.mkdir(parents=True, exist_ok=True)
    (ADAPTERS / "used.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def delete_unused() -> None:
    """Delete the adapters that nothing in `used.json` needs."""
    needed = {key for keys in read_used().values() for key in keys}
    for card in sorted(ADAPTERS.glob("*/card.json")):
        if json.loads(card.read_text(encoding="utf-8"))["key"] not in needed:
            print(f"deleting {card.parent.name}: no notebook asks for it")
            shutil.rmtree(card.parent)


def keep_work(lesson: str, counted: dict[str, Any]) -> None:
    """Note in `data/results/` what work a lesson is, and how many minutes it takes where the course states them.

    Counted on a GPU or with another student it would not be the work that the minutes are stated for.
    """
    import torch

    from course_lib.costs.machine import LessonWork, stated_minutes

    path = ROOT / "data" / "results" / f"{lesson}.json"
    if counted and path.exists() and not torch.cuda.is_available() and not os.environ.get("COURSE_MODEL"):
        result = json.loads(path.read_text(encoding="utf-8")) | {"work": counted}
        result["minutes_laptop"] = round(stated_minutes(LessonWork.of(result["work"])), 1)
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def check(paths: list[Path]) -> int:
    """Say what differs; 1 if anything does."""
    found = [line for path in paths for line in differences(path)] + [f"{name} has no source" for name in strays()]
    for line in found:
        print(line)
    print("Run `python notebooks/build.py`." if found else f"{len(paths)} notebooks are what their sources give.")
    return int(bool(found))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginning of a name, such as 02")
    mode = parser.add_mutually_exclusive_group()
    for name in ("check", "record", "replay", "prose", "count"):
        mode.add_argument(f"--{name}", dest="mode", action="store_const", const=name)
    parser.add_argument("--student", metavar="NAME", help="who does the lesson, with --record")
    chosen = parser.parse_args(arguments)
    if chosen.student and chosen.mode != "record":
        parser.error("--student goes with --record")
    try:
        paths = sources(chosen.names)
        if chosen.mode == "check":
            return check(paths)
        for path in paths:
            if chosen.mode == "prose":
                reword(path)
                continue
            name = name_of(path)
            print(f"{name} ...", flush=True)
            used, seconds, counted = build(path, chosen.mode or "", chosen.student)
            if chosen.mode in ("record", "replay"):
                write_used(read_used() | {f"{name}@{chosen.student}" if chosen.student else name: used})
            if not in_appendix(path) and not chosen.student:
                keep_work(path.stem[:2], counted)
            done = "counted" if chosen.mode == "count" else "recorded" if chosen.student else "built"
            print(f"{name} ran in {seconds:.0f} s, and is {done}", flush=True)
        if chosen.mode == "record" and not chosen.names:
            delete_unused()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
