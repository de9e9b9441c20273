"""Findings as SARIF 2.1.0 (OASIS): those with a source line have a location."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipcviz import __version__
from ipcviz.diagnose import Finding
from ipcviz.diagnose.pages import BY_NAME


def make_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """A log of one run."""
    rules = [
        {
            "id": name,
            "shortDescription": {"text": BY_NAME[name].title},
            "fullDescription": {"text": BY_NAME[name].why},
            "help": {"text": BY_NAME[name].mend},
        }
        for name in sorted({finding.rule for finding in findings})
    ]
    driver = {"name": "ipcviz", "version": __version__, "rules": rules}
    results = [_make_result(finding) for finding in findings]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _make_result(finding: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": "error" if finding.sure else "warning",
        "message": {"text": f"{finding.sentence} {finding.mend}"},
    }
    place = finding.place
    if place is not None:
        where = {
            "artifactLocation": {"uri": place.file},
            "region": {"startLine": place.line},
        }
        result["locations"] = [{"physicalLocation": where}]
    return result
