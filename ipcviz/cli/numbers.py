"""Numbers on the command line: finite, and within bounds that are said."""

from __future__ import annotations

import math
from typing import Any

import click


class Seconds(click.FloatRange):
    """A number of seconds.

    Args:
        least: The smallest that is taken.
        most: The largest that is taken.
    """

    name = "seconds"

    def __init__(self, least: float, most: float) -> None:
        super().__init__(min=least, max=most)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number. What is none, `nan` among them, fails."""
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return found
