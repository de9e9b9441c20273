"""Reports of findings: as text for a terminal and a log, as JSON, and as SARIF."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ipcviz import __version__
from ipcviz.diagnose import Finding
from ipcviz.diagnose.pages import BY_NAME

FORMAT: Final = 1
"""Version of the JSON report."""
_WIDTH: Final = 100


def format_text(findings: Sequence[Finding], status: str) -> str:
    """A report that reads well in a terminal and in a log: the sentence comes first."""
    lines = []
    for finding in findings:
        probably = "" if finding.sure else "Probably: "
        lines += textwrap.wrap(probably + finding.sentence + " " + finding.mend, _WIDTH)
        lines.append(f"    rule {finding.rule}, at {finding.t:.3f} s")
        if finding.why_probable:
            lines.append(f"    not certain: {finding.why_probable}")
        facts = [one.text for one in finding.evidence] + [one.words for one in finding.origins]
        for text in facts:
            lines += textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="      ")
        lines.append("")
    count = len(findings)
    found = "Nothing is wrong" if not count else f"{count} finding{'s' if count > 1 else ''}"
    rules = sorted({finding.rule for finding in findings})
    more = f" 'ipcviz explain {rules[0]}' tells more." if rules else ""
    lines.append(f"ipcviz doctor: {found}. {status}{more}")
    return "\n".join(lines)


def format_json(findings: Sequence[Finding], status: str) -> str:
    """The findings as they are, with the version of the format."""
    report = {
        "format": FORMAT,
        "version": __version__,
        "status": status,
        "findings": msgspec.to_builtins(findings),
    }
    return json.dumps(report, indent=2, ensure_ascii=True)


def format_sarif(findings: Sequence[Finding], status: str) -> str:
    """The findings as a SARIF 2.1.0 log (OASIS): those with a source line have a location."""
    rules = sorted({finding.rule for finding in findings})
    driver = {
        "name": "ipcviz",
        "version": __version__,
        "rules": [
            {
                "id": name,
                "shortDescription": {"text": BY_NAME[name].title},
                "fullDescription": {"text": BY_NAME[name].why},
                "help": {"text": BY_NAME[name].mend},
            }
            for name in rules
        ],
    }
    run = {
        "tool": {"driver": driver},
        "results": [_make_result(finding) for finding in findings],
        "invocations": [{"executionSuccessful": True, "exitCodeDescription": status}],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2, ensure_ascii=True)


def _make_result(finding: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": "error" if finding.sure else "warning",
        "message": {"text": f"{finding.sentence} {finding.mend}"},
    }
    place = finding.place
    if place is not None:
        result["locations"] = [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place.file},
                    "region": {"startLine": place.line},
                }
            }
        ]
    return result
