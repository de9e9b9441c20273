"""Make the table of docs/doctor.md anew: `python -m docs.make_doctor` in the root of a checkout."""

from __future__ import annotations

from pathlib import Path

from ipcviz.diagnose.pages import PAGES

PAGE = Path(__file__).with_name("doctor.md")
BEGIN = "<!-- table -->\n"


def make_page(text: str) -> str:
    """The page with the table of rules as it is now."""
    rows = ["| rule | fault | | told by |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{page.name}` | {page.title} | {page.certainty} | {page.evidence} |" for page in PAGES
    ]
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(BEGIN)
    return before + BEGIN + "\n" + "\n".join(rows) + "\n\n" + BEGIN + after


if __name__ == "__main__":
    PAGE.write_text(make_page(PAGE.read_text()))
