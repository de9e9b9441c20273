"""The past: the moments of a session, and any of them as a `Moment` that the screen shows."""

from ipcviz.app.past.moments import Moments, Turns
from ipcviz.app.past.past import Past, PastMoment
from ipcviz.app.past.tape import EventTape, NotKept

__all__ = ["EventTape", "Moments", "NotKept", "Past", "PastMoment", "Turns"]
