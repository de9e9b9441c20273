"""The past: the moments of a session, and any of them as a `Moment` that the screen shows."""

from ipcviz.app.past.moments import Moments, Turns
from ipcviz.app.past.past import Past, PastMoment
from ipcviz.app.past.tape import NotKept, Tape

__all__ = ["Moments", "NotKept", "Past", "PastMoment", "Tape", "Turns"]
