"""The persistent maps that states are made of: to set a key makes a new map, which shares nearly
all of the old one.

This is the only module that names the library behind them.
"""

from __future__ import annotations

from immutables import Map

__all__ = ["Map"]
