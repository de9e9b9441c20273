"""Questions to a state: who holds what, who waits for what, what is connected to what. Pure."""

from __future__ import annotations
