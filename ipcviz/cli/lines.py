"""Events as JSON lines, into a file or to standard output."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from ipcviz import streams
from ipcviz.events import Event
from ipcviz.events.undecoded import escape_json
from ipcviz.model.steps.moments import has_begun
from ipcviz.outputs import OutputError, OutputFile


class LinesSink:
    """Writes the stream as JSON lines. No character in them is a command to a terminal.

    A file takes its place as soon as there is something to watch: from then on every line is there
    at once, for whoever reads along. If the command can't be executed, what was at that place stays
    as it was.

    Args:
        output: The file's name; `-` for standard output.

    Raises:
        OutputError: It can't be written.

    Attributes:
        trouble: Why nothing more is written; empty as long as all is well.
    """

    def __init__(self, output: str) -> None:
        self.trouble = ""
        self._encoder = msgspec.json.Encoder()
        self._output: OutputFile | None = None
        self._fd = -1
        if output == "-":
            try:
                self._fd = streams.duplicate_stdout()
            except OSError as error:
                raise OutputError(f"Standard output can't be written: {error.strerror}.") from None
        else:
            self._output = OutputFile(output, streams=True)

    def add(self, events: Sequence[Event]) -> None:
        """Write events, so that they are there at once."""
        if self.trouble:
            return
        try:
            lines = b"".join(self._encoder.encode(event) + b"\n" for event in events)
            self._write_data(escape_json(lines))
            if self._output is not None and not self._output.placed and any(map(has_begun, events)):
                self._output.place()
        except OSError as error:
            self.trouble = f"the trace ends here, it can't be written: {error.strerror}"
        except OutputError as error:
            self.trouble = f"the trace ends here, {error.message.rstrip('.')}"

    def _write_data(self, data: bytes) -> None:
        if self._output is None:
            streams.write_all(self._fd, data)
        else:
            self._output.file.write(data)
            self._output.file.flush()

    def close(self) -> None:
        """Close the file. Idempotent."""
        try:
            if self._output is not None:
                self._output.close()
            elif self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
        except (OSError, OutputError):
            # What could not be flushed was said when it was written.
            self.trouble = self.trouble or "the end of the trace can't be written"
