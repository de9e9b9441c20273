"""On which line of a TOML file each key stands; tomllib keeps no positions."""

from __future__ import annotations

import re
from typing import Final

Path = tuple[str | int, ...]
"""A key's place: names of keys and, for arrays, indexes from 0."""

_TOKEN: Final = re.compile(
    r'(?P<string>"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*')"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<newline>\n)"
    r"|(?P<punctuation>[\[\]{}=,.])"
    r"|(?P<bare>[^\s\[\]{}=,.#\"']+)",
    re.DOTALL,
)


class _Token:
    __slots__ = ("kind", "line", "text")

    def __init__(self, kind: str, text: str, line: int) -> None:
        self.kind = kind
        self.text = text
        self.line = line


def key_lines(text: str) -> dict[Path, int]:
    """Lines (from 1) of all keys, tables and array elements of a TOML text that tomllib has
    accepted.
    """
    return _Finder(_parse_tokens(text)).find_lines()


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a key, or of the nearest thing around it that has one; 1 for the file as a
    whole.
    """
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _parse_tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    line = 1
    for match in _TOKEN.finditer(text.replace("\r\n", "\n")):
        kind = match.lastgroup or ""
        if kind != "comment":
            found.append(_Token(kind, match.group(), line))
        line += match.group().count("\n")
    return found


def _strip_quotes(text: str) -> str:
    return text[1:-1] if text[:1] in "\"'" else text


class _Finder:
    """Walks over the tokens with one look ahead; the text is known to be right, so nothing is
    checked.
    """

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}

    def find_lines(self) -> dict[Path, int]:
        table: Path = ()
        while (token := self._peek_token()) is not None:
            if token.kind == "newline":
                self._at += 1
            elif token.text == "[":
                table = self._parse_header()
            else:
                self._parse_pair(table)
        return self._lines

    def _peek_token(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _skip_newlines(self) -> None:
        while (token := self._peek_token()) is not None and token.kind == "newline":
            self._at += 1

    def _parse_key(self) -> tuple[list[str], int]:
        names: list[str] = []
        line = self._tokens[self._at].line
        while (token := self._peek_token()) is not None and (
            token.kind in ("bare", "string") or token.text == "."
        ):
            if token.text != ".":
                names.append(_strip_quotes(token.text))
            self._at += 1
        return names, line

    def _parse_header(self) -> Path:
        line = self._tokens[self._at].line
        depth = 0
        while self._tokens[self._at].text == "[":
            depth += 1
            self._at += 1
        names, _ = self._parse_key()
        self._at += depth
        path: Path = ()
        for place, name in enumerate(names):
            path = (*path, name)
            if depth == 2 and place == len(names) - 1:
                self._lines.setdefault(path, line)
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path = (*path, self._tables[path])
        self._lines.setdefault(path, line)
        return path

    def _parse_pair(self, table: Path) -> None:
        names, line = self._parse_key()
        path = table
        for name in names:
            path = (*path, name)
            self._lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._parse_value(path)

    def _parse_value(self, path: Path) -> None:
        token = self._peek_token()
        if token is None:
            return
        self._lines.setdefault(path, token.line)
        if token.text == "[":
            self._parse_array(path)
        elif token.text == "{":
            self._parse_inline_table(path)
        else:
            # Numbers and dates hold dots; a value goes on until what ends it.
            while (token := self._peek_token()) is not None and (
                token.kind in ("bare", "string") or token.text == "."
            ):
                self._at += 1

    def _parse_array(self, path: Path) -> None:
        self._at += 1
        place = 0
        while True:
            self._skip_newlines()
            token = self._peek_token()
            if token is None or token.text == "]":
                self._at += 1
                return
            if token.text == ",":
                self._at += 1
                continue
            self._parse_value((*path, place))
            place += 1

    def _parse_inline_table(self, path: Path) -> None:
        self._at += 1
        while True:
            self._skip_newlines()
            token = self._peek_token()
            if token is None or token.text == "}":
                self._at += 1
                return
            if token.text == ",":
                self._at += 1
                continue
            self._parse_pair(path)
