"""Make the tables of rules in docs/doctor.md anew: `python -m docs.make_doctor` in the root of a
checkout, with ipcviz's dependencies.

They are made from the rules' pages (`ipcviz.diagnose.pages`) and from the programs that the rules
are tried on (`tests.doctor_programs`). A test asserts that they are up to date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ipcviz.diagnose.pages import PAGES, RulePage
from tests.doctor_programs import PROGRAMS, RIGHT

PAGE = Path(__file__).with_name("doctor.md")
_PART = "<!-- {name}: made by docs/make_doctor.py -->\n"
_END = "<!-- end -->\n"


def make_page(text: str) -> str:
    """The page's text with its tables as they are to be."""
    parts = {
        "hangs": _list_rules(page for page in PAGES if page.hangs),
        "deeds": _list_rules(page for page in PAGES if not page.hangs),
        "figures": _count_programs(),
    }
    for name, lines in parts.items():
        begin = re.escape(_PART.format(name=name))
        found = re.search(f"{begin}(.*?){re.escape(_END)}", text, flags=re.S)
        if found is None:
            raise ValueError(f"{PAGE.name} has no part {name}")
        text = (
            text[: found.start(1)] + "".join(f"{line}\n" for line in lines) + text[found.end(1) :]
        )
    return text


def _list_rules(pages: Iterable[RulePage]) -> Iterator[str]:
    yield "| rule | what is wrong | sure | found | near-misses |"
    yield "| --- | --- | --- | --- | --- |"
    for page in pages:
        some = PROGRAMS[page.name]
        wrong, near = len(some.wrong), len(some.near)
        cells = (f"`{page.name}`", page.title, tell_certainty(page), f"{wrong} of {wrong}")
        yield f"| {' | '.join(cells)} | {near} |"


def tell_certainty(page: RulePage) -> str:
    """`yes`, `probable: why`, `yes; probable where ...`."""
    if page.certainty == "sure":
        return "yes"
    if page.certainty == "probable":
        return f"probable{page.probable_if}"
    return f"yes; probable {page.probable_if}"


def _count_programs() -> Iterator[str]:
    wrong = sum(len(some.wrong) for some in PROGRAMS.values())
    near = len({text for some in PROGRAMS.values() for text in some.near} | set(RIGHT))
    yield f"{wrong} programs do one thing wrong each. Its rule finds it in {wrong} of them, and no"
    yield "other rule finds anything (recall and precision 100 %)."
    yield f"{near} programs come near one of them and are right. Nothing is found in them."


if __name__ == "__main__":
    PAGE.write_text(make_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
