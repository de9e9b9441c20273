"""What traced programs name, write and send is escaped for the screen, and once."""

from __future__ import annotations

from rich.cells import cell_len

from ipcviz.app.feed import Feed
from ipcviz.app.panels import Buffers
from ipcviz.app.panels.log import rows_of
from ipcviz.events import Call, Level, Located, Message, ObjectInfo, Sample
from tests import fakes
from tests import picture_states as systems
from tests.seen import PANELS, seen

NASTY = "a\\b\x1b[31m"
ONCE = r"a\\b\x1b[31m"
QUEUE = ObjectInfo(key="msg:7", kind="message queue", path=NASTY, detail="key 0x1")
P = systems.pipe(1)


def shown(value: object) -> list[str]:
    """All texts that a panel, the picture or the log consist of."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for part in value.values() for text in shown(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in shown(part)]
    fields = getattr(value, "__slots__", None) or getattr(value, "__dict__", None) or ()
    return [text for name in fields for text in shown(getattr(value, name, None))]


def feed() -> Feed:
    m = systems.Maker((NASTY,))
    m.launch(10, NASTY, NASTY)
    m.fork(10, 11, NASTY)
    m.pipe(10, 3, 4, P)
    m.open(
        10,
        5,
        ObjectInfo(key="socket:[5]", kind="unix socket", ino=5, path=NASTY, with_whom=NASTY),
        "rw",
    )
    m.open(10, 6, systems.plain(9, f"/tmp/{NASTY}"), "rw")
    m.move(10, "write", 4, P, 9)
    data = NASTY.encode()
    m.add(
        Call,
        pid=10,
        tid=10,
        name="mq_timedsend",
        args={"fd": 7, "count": len(data)},
        object=QUEUE.key,
        ret=0,
        data=data,
    )
    m.open(10, 7, QUEUE, "rw")
    m.add(
        Sample,
        levels=(Level(object=P.key, queued=18, capacity=65536, head=b"\\" * 8 + b"plain text"),),
    )
    waiting = (Message(type=1, size=len(data), head=data),)
    m.add(
        Sample,
        levels=(Level(object=QUEUE.key, queued=9, unit="bytes", messages=1, waiting=waiting),),
    )
    m.wait(11, "read", 3, P.key)
    m.add(Located, pid=11, tid=11, file=f"/tmp/{NASTY}", line=3, function=NASTY)
    session, clock = fakes.FakeSession(), fakes.FrozenClock()
    made = Feed(session, clock, None)
    session.feed(*m.events)
    clock.now = 110.0
    made.pump(10)
    return made


def test_nothing_is_escaped_twice():
    view = feed().make_view()
    panels = {kind.__name__ for kind in PANELS}
    found = {part: made for part, made in seen(view).items() if part != "state"}
    # A panel escapes its title itself.
    rows = [[rows for _, rows in made] if part in panels else made for part, made in found.items()]
    texts = shown(rows)
    assert any(ONCE in text for text in texts)
    assert not [text for text in texts if r"\\\\" in text or r"\\x1b" in text]
    assert not [text for text in texts if "\x1b" in text]


def rows_about(view, key: str) -> list[str]:
    panel = Buffers()
    made = [row() if callable(row) else row for row in panel.build_rows(view.select(10, key), 100)]
    return ["".join(text for text, _ in row.spans) for row in made]


def test_a_message_that_waits_and_one_that_was_sent():
    view = feed().make_view()
    assert any("type 1, 8 B" in text and ONCE in text for text in rows_about(view, QUEUE.key))
    log = shown([rows_of(entry, 100) for entry in view.log.list_since(0)[: view.log_end]])
    assert any("put a message" in text for text in log)


def test_a_hexdump_has_a_column_for_each_byte():
    view = feed().make_view()
    lines = [
        text for text in rows_about(view, P.key) if text.lstrip().startswith(("0  5c", "10  "))
    ]
    assert lines[0].rstrip().endswith("\\" * 8 + "plain te")
    assert [cell_len(line) for line in lines] == [cell_len(lines[0])] * len(lines)
