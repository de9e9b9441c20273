"""What may be done with the processes of a session, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for all processes of a session alike.

    Attributes:
        from_start: They were seen from their start on: what they have is computed from their calls,
            and checked. Else it is read from /proc, and what was before is not known.
        may_touch: They are ours to touch: breakpoints are set in their memory, arguments of their
            calls changed, descriptors of theirs borrowed to ask for more than /proc tells. Else
            they may run on without us at any moment, and nothing of ours may be left in them.
    """

    from_start: bool
    may_touch: bool


LAUNCHED: Final = Policy(from_start=True, may_touch=True)
"""Of what ipcviz has launched."""
ATTACHED: Final = Policy(from_start=False, may_touch=False)
"""Of what was there before."""
