"""Long sessions for traces."""

from __future__ import annotations

import msgspec

from ipcviz.events import Closed, Event, Opened, Waiting
from tests import fakes


def long_session(count: int) -> list[Event]:
    """A pipeline that goes on for long: calls with data, waits, and objects that come and go."""
    events = list(fakes.pipeline_start())
    p, t = fakes.PIPE.key, 1.0
    while len(events) < count:
        t += 0.0001
        k = len(events)
        if k % 50 == 0:
            info = msgspec.structs.replace(
                fakes.FILE, key=f"8:{1000 + k % 400}", path=f"/tmp/{k % 400}", ino=1000 + k % 400
            )
            events.append(
                fakes.call(
                    t, 12, "openat", Opened(fd=7, ofd=1000 + k, object=info, mode="r"), ret=7
                )
            )
        elif k % 50 == 25:
            events.append(fakes.call(t, 12, "close", Closed(fd=7), fd=7))
        elif k % 17 == 0:
            events.append(
                Waiting(t=t, pid=13, tid=13, call="read", args={"fd": 0, "count": 65536}, object=p)
            )
        elif k % 2:
            data = (b"line %d of many\n" % k) * 4
            events.append(
                fakes.call(t, 12, "write", fd=1, obj=p, ret=64, data=data[:64], args={"count": 64})
            )
        else:
            events.append(fakes.call(t, 13, "read", fd=0, obj=p, ret=64, args={"count": 65536}))
    return fakes.numbered(events)
