"""The documents: links lead somewhere, files that are named exist, sentences are short, and keys
are those of the app.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from textual.binding import Binding

import ipcviz.app

TOP = Path(__file__).parents[2]
DOCUMENTS = sorted([TOP / "README.md", TOP / "CONTRIBUTING.md", *(TOP / "docs").rglob("*.md")])
NAMES = [str(path.relative_to(TOP)) for path in DOCUMENTS]
WORDS = 25
"""The most that a sentence has."""
LINES = 70
"""The most that the README has: who wants more follows a link."""


@pytest.fixture(params=DOCUMENTS, ids=NAMES)
def document(request):
    return request.param


def prose_of(text):
    """A document without code, tables, headings and pictures; one paragraph or list item each."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    block = ""
    for line in [*text.split("\n"), ""]:
        begins = re.match(r"\s*([*-]|\d+\.) ", line)
        apart = not line.strip() or line.startswith(("|", "#", "    "))
        if begins or apart:
            if block:
                yield block
            block = ""
        if not apart:
            block += " " + line.strip()
    if block:
        yield block


def sentences_of(text):
    for block in prose_of(text):
        # What is in backticks is one word, whatever it holds.
        block = re.sub(r"`[^`]*`", "`code`", re.sub(r"^ *([*-]|\d+\.) ", "", block))
        yield from re.split(r"(?<=[.!?])[)\"'*]* +(?=[A-Z0-9`*(/\[]|ipcviz)", block)


def words_of(sentence):
    return [word for word in sentence.split() if re.search(r"\w", word)]


def anchors_of(path):
    """The anchors that a code-hosting site gives the headings of a document."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.S | re.M)
    return {
        re.sub(r"[^\w\- ]", "", title.lower().replace("`", "")).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, flags=re.M)
    }


def test_the_splitter():
    text = "# A b\n\nOne two. Three `four five` six:\nseven.\n\n"
    text += "* Eight.\n* Nine (ten). Ten\n\n    code\n"
    assert list(map(str.strip, sentences_of(text))) == [
        "One two.",
        "Three `code` six: seven.",
        "Eight.",
        "Nine (ten).",
        "Ten",
    ]


def test_sentences_are_short(document):
    long = [
        f"{len(words_of(sentence))} words: {sentence.strip()}"
        for sentence in sentences_of(document.read_text())
        if len(words_of(sentence)) > WORDS
    ]
    assert not long, "\n".join(long)


def test_links_lead_somewhere(document):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and anchor not in anchors_of(path)):
            broken.append(target)
    assert not broken


def test_files_that_are_named_exist(document):
    """A path in backticks that begins with one of our folders."""
    named = re.findall(r"`((?:ipcviz|tests|docs|scenarios)/[\w./-]*[\w/])`", document.read_text())
    # Capitals stand for a name of one's own: `scenarios/TOPIC/NAME/`.
    assert not [
        name for name in named if not re.search(r"/[A-Z]+(/|$)", name) and not (TOP / name).exists()
    ]


FLOORS = "cli|app|narrate|export|session|scenario|tracer|trace|model|kernel|events"


def is_in_code(name):
    """Whether a dotted name is a module of ours, or something that is named in one."""
    path = TOP / "ipcviz"
    parts = name.split(".")
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    if parts and (path / f"{parts[0]}.py").exists():
        path /= f"{parts.pop(0)}.py"
    files = [path] if path.is_file() else path.glob("*.py")
    text = "\n".join(file.read_text() for file in files)
    defined = r"(?:def|class) {0}\b|^\s*(?:self\.)?{0}\s*[:=]"
    return all(re.search(defined.format(part), text, flags=re.M) for part in parts)


def test_names_that_are_given_are_in_the_code(document):
    """`model.reduce`, `Effects.of` in `ipcviz/tracer/calls/effects.py`."""
    text = document.read_text()
    dotted = re.findall(rf"`((?:{FLOORS})\.(?!py\b|toml\b)[\w.]*\w)(?:\(\))?`", text)
    placed = re.findall(r"`([\w.]+)` in\s+`(ipcviz/[\w/]+)\.py`", text)
    names = [*dotted, *(f"{file[7:].replace('/', '.')}.{name}" for name, file in placed)]
    assert not [name for name in names if not is_in_code(name)]


def test_pictures_are_used_and_numbered():
    """Each picture is shown, and the tour has as many items below it as it has numbers."""
    tour = (TOP / "docs/tour.md").read_text()
    shown = {
        name
        for path in DOCUMENTS
        for name in re.findall(r"\]\((?:docs/)?pictures/([\w-]+\.svg)\)", path.read_text())
    }
    assert shown == {path.name for path in (TOP / "docs/pictures").iterdir()}
    for part in re.split(r"^## ", tour, flags=re.M)[1:]:
        (name,) = re.findall(r"\]\((pictures/[\w-]+\.svg)\)", part)
        picture = (TOP / "docs" / name).read_text()
        part = part.partition("\n")[2]
        assert picture.count('class="callout"') == len(re.findall(r"^\d+\. ", part, flags=re.M)), (
            name
        )


def test_the_readme_is_short():
    assert len((TOP / "README.md").read_text().splitlines()) <= LINES


SECTIONS = {
    "Watching": ("app", "live", "time", "step", "panel", "log", "findings", "picture"),
    "Typing": ("type",),
    "The catalogue": ("catalogue",),
    "The table of running processes": ("picker",),
    "Notes": ("notes",),
    "Dialogs": ("help", "trouble", "signal", "question", "run", "slow", "save", "watch", "page"),
}
SIGNS = {
    "question_mark": "?",
    "full_stop": ".",
    "slash": "/",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "ctrl+backslash": "ctrl+\\",
}


def bound_keys():
    """The keys of all bindings in the app, by the first part of their ids."""
    found = {}
    for module in pkgutil.walk_packages(ipcviz.app.__path__, "ipcviz.app."):
        for thing in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(thing) and thing.__module__ == module.name:
                for binding in vars(thing).get("BINDINGS", ()):
                    assert isinstance(binding, Binding), thing
                    keys = found.setdefault((binding.id or "").partition(".")[0], set())
                    keys.update(SIGNS.get(key, key) for key in binding.key.split(","))
    return found


def test_keys_are_those_of_the_app():
    text = (TOP / "docs/keys.md").read_text()
    bound = bound_keys()
    assert set(bound) == {scope for scopes in SECTIONS.values() for scope in scopes}
    for title, scopes in SECTIONS.items():
        (part,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, flags=re.S | re.M)
        rows = re.findall(r"^\| (`.*?) \|", part, flags=re.M)
        listed = {key for row in rows for key in re.findall(r"`([^`]+)`", row)}
        if title == "Dialogs":
            listed -= {str(n) for n in range(1, 10)}  # a list's own
        assert listed == set().union(*(bound[scope] for scope in scopes)), title
