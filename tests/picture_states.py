"""Small systems for the picture's tests, made by events as the tracer would send them."""

from __future__ import annotations

from ipcviz.events import (
    Call,
    Closed,
    Disposition,
    Duplicated,
    Event,
    Executed,
    Exited,
    Forked,
    Level,
    Mapped,
    ObjectInfo,
    Opened,
    ProcessSample,
    Reaped,
    Sample,
    SemaphoreInfo,
    SemaphoreLevel,
    SemaphoreOp,
    Sent,
    Started,
    Table,
    TableEntry,
    ThreadSample,
    Timer,
    Waiting,
)
from ipcviz.model.reduce import reduce_all
from ipcviz.model.state import State

TTY = ObjectInfo(key="88:3", kind="terminal", path="/dev/pts/3", dev=88, ino=3)


def pipe(number: int) -> ObjectInfo:
    return ObjectInfo(
        key=f"pipe:[{number}]", kind="pipe", path=f"pipe:[{number}]", ino=number, capacity=65536
    )


def plain(number: int, path: str) -> ObjectInfo:
    return ObjectInfo(key=f"8:{number}", kind="file", path=path, dev=8, ino=number)


class Maker:
    """Writes the events of a system down; time goes on by a hundredth with each."""

    def __init__(self, argv: tuple[str, ...] = ("sh",)) -> None:
        self.events: list[Event] = []
        self.t = 0.0
        self.ofd = 100
        self.add(Started, argv=argv, terminal=True)

    def add(self, kind: type, **kw) -> None:
        self.t += 0.01
        self.events.append(kind(t=round(self.t, 3), n=len(self.events) + 1, **kw))

    def launch(self, pid: int, name: str, *argv: str) -> None:
        self.add(Forked, pid=pid, parent=1, how="launched", name=name, argv=(name, *argv))
        rows = tuple(TableEntry(fd=fd, ofd=1, object=TTY, mode="rw") for fd in (0, 1, 2))
        self.add(Table, pid=pid, entries=rows, reason="launched")

    def fork(self, parent: int, pid: int, name: str = "") -> None:
        self.add(Forked, pid=pid, parent=parent, by=parent, name=name)

    def execute(self, pid: int, *argv: str) -> None:
        self.add(Executed, pid=pid, path=f"/bin/{argv[0]}", argv=argv, name=argv[0])

    def open(self, pid: int, fd: int, thing: ObjectInfo, mode: str) -> int:
        self.ofd += 1
        opened = Opened(fd=fd, ofd=self.ofd, object=thing, mode=mode)
        self.add(Call, pid=pid, tid=pid, name="openat", ret=fd, effects=(opened,))
        return self.ofd

    def pipe(self, pid: int, r: int, w: int, thing: ObjectInfo) -> None:
        self.ofd += 2
        effects = (
            Opened(fd=r, ofd=self.ofd - 1, object=thing, mode="r"),
            Opened(fd=w, ofd=self.ofd, object=thing, mode="w"),
        )
        self.add(Call, pid=pid, tid=pid, name="pipe2", effects=effects)

    def dup(self, pid: int, source: int, fd: int) -> None:
        self.add(
            Call, pid=pid, tid=pid, name="dup2", ret=fd, effects=(Duplicated(fd=fd, source=source),)
        )

    def close(self, pid: int, *fds: int) -> None:
        for fd in fds:
            self.add(
                Call, pid=pid, tid=pid, name="close", args={"fd": fd}, effects=(Closed(fd=fd),)
            )

    def wait(self, pid: int, call: str, fd: int = -1, thing: str = "", **args) -> None:
        self.add(
            Waiting,
            pid=pid,
            tid=pid,
            call=call,
            args={**({"fd": fd} if fd >= 0 else {}), **args},
            object=thing,
        )

    def move(self, pid: int, name: str, fd: int, thing: ObjectInfo, count: int) -> None:
        began = round(self.t + 0.005, 3)
        self.add(
            Call,
            pid=pid,
            tid=pid,
            name=name,
            began=began,
            args={"fd": fd},
            object=thing.key,
            ret=count,
        )

    def level(
        self, thing: ObjectInfo, queued: int, capacity: int = 65536, writable: bool | None = True
    ) -> None:
        self.add(
            Sample,
            levels=(Level(object=thing.key, queued=queued, capacity=capacity, writable=writable),),
        )

    @property
    def state(self) -> State:
        return reduce_all(self.events)


def pipeline_maker(*commands: tuple[str, ...], out: ObjectInfo | None = None) -> Maker:
    """A shell's pipeline, forked, dup'ed and closed as dash does it."""
    m = Maker(("sh", "-c", " | ".join(" ".join(c) for c in commands)))
    m.launch(11, "sh", "-c", " | ".join(" ".join(c) for c in commands))
    before: ObjectInfo | None = None
    for number, command in enumerate(commands):
        last = number == len(commands) - 1
        pid = 12 + number
        after = None if last else pipe(4711 + number)
        if after:
            m.pipe(11, 4, 5, after)
        m.fork(11, pid)
        if before:
            m.dup(pid, 3, 0)
            m.close(pid, 3)
            m.close(11, 3)
        if after:
            m.close(11, 5)
            m.dup(11, 4, 3)
            m.close(11, 4)
            m.dup(pid, 5, 1)
            m.close(pid, 4, 5)
        elif out:
            m.open(pid, 3, out, "w")
            m.dup(pid, 3, 1)
            m.close(pid, 3)
        m.execute(pid, *command)
        before = after
    m.wait(11, "wait4")
    return m


def pipeline_full() -> State:
    """`cat FILE | gzip -c9 > FILE.gz`, cat blocked: the pipe is full short of its capacity."""
    out, source, p = plain(101, "/tmp/FILE.gz"), plain(100, "/tmp/FILE"), pipe(4711)
    m = pipeline_maker(("cat", "FILE"), ("gzip", "-c9"), out=out)
    m.open(12, 3, source, "r")
    m.move(12, "read", 3, source, 131072)
    m.move(12, "write", 1, p, 131072)
    m.move(13, "read", 0, p, 65536)
    m.move(13, "write", 1, out, 18000)
    m.level(p, 62029, writable=False)
    m.wait(12, "write", 1, p.key)
    return m.state


def pipeline_three() -> State:
    """`sort words | uniq -c | sort -rn` to the terminal: the middle waits for input."""
    source, p, q = plain(100, "/tmp/words"), pipe(4711), pipe(4712)
    m = pipeline_maker(("sort", "words"), ("uniq", "-c"), ("sort", "-rn"))
    m.open(12, 3, source, "r")
    m.move(12, "read", 3, source, 65536)
    m.level(p, 0)
    m.level(q, 9000)
    m.wait(13, "read", 0, p.key)
    return m.state


def fan(writers: int = 8) -> State:
    """A parent reads one pipe, its workers write into it."""
    p = pipe(4711)
    m = Maker(("python3", "fan.py"))
    m.launch(20, "python3", "fan.py")
    m.pipe(20, 3, 4, p)
    for number in range(writers):
        pid = 21 + number
        m.fork(20, pid, "worker")
        m.close(pid, 3)
    m.close(20, 4)
    m.level(p, 65450, writable=False)
    for number in range(writers):
        if number % 3:
            m.wait(21 + number, "write", 4, p.key)
    return m.state


def client_server(clients: int = 2) -> State:
    """A server that forks for each connection of a UNIX socket."""
    m = Maker(("sh", "demo.sh"))
    m.launch(30, "sh", "demo.sh")
    m.fork(30, 31)
    m.execute(31, "server", "/tmp/door")
    listener = ObjectInfo(
        key="socket:[500]", kind="unix socket", path="/tmp/door", ino=500, detail="stream listening"
    )
    m.open(31, 3, listener, "rw")
    for number in range(clients):
        client, child = 40 + number, 50 + number
        a, b = f"socket:[{600 + 2 * number}]", f"socket:[{601 + 2 * number}]"
        ca = ObjectInfo(
            key=a,
            kind="unix socket",
            ino=600 + 2 * number,
            peer=b,
            detail="stream",
            capacity=212992,
        )
        cb = ObjectInfo(
            key=b,
            kind="unix socket",
            path="/tmp/door",
            ino=601 + 2 * number,
            peer=a,
            detail="stream",
            capacity=212992,
        )
        m.fork(30, client)
        m.execute(client, "client", "/tmp/door")
        m.open(client, 3, ca, "rw")
        m.open(31, 4, cb, "rw")
        m.fork(31, child, "server")
        m.close(child, 3)
        m.close(31, 4)
        m.level(ca, 0, 212992)
        m.level(cb, 52000 * (number + 1), 212992)
        m.wait(client, "recvfrom", 3, a)
    m.wait(31, "accept4", 3, listener.key)
    m.wait(30, "wait4")
    return m.state


def mmap_queue() -> State:
    """Producer and consumer, a bounded queue in a mapped file, three semaphores in it."""
    queue = plain(300, "/tmp/queue.dat")
    m = Maker(("./queue",))
    m.launch(31, "producer", "queue.dat")
    m.open(31, 3, queue, "rw")
    mapped = Mapped(start=0x7F0000000000, length=4096, object=queue, prot="rw-")
    m.add(Call, pid=31, tid=31, name="mmap", args={"fd": 3}, effects=(mapped,))
    semaphores = [
        SemaphoreInfo(key=f"sem:8:300:{32 * i}", kind="unnamed", object=queue.key, offset=32 * i)
        for i in range(3)
    ]
    for semaphore, value in zip(semaphores, (1, 4, 0), strict=True):
        m.add(SemaphoreOp, pid=31, tid=31, op="init", semaphore=semaphore, initial=value)
    m.fork(31, 32, "consumer")
    m.add(SemaphoreOp, pid=32, tid=32, op="wait", semaphore=semaphores[2], value=0)
    m.wait(32, "futex", op="FUTEX_WAIT")
    m.add(SemaphoreOp, pid=31, tid=31, op="wait", semaphore=semaphores[1], value=4)
    m.add(Sample, semaphores=(SemaphoreLevel(info=semaphores[2], value=0, waiters=1),))
    m.add(SemaphoreOp, pid=31, tid=31, op="wait", semaphore=semaphores[0], value=1)
    return m.state


def sleep_race() -> State:
    """sleep of alarm and pause: a timer runs, SIGINT is pending and blocked."""
    m = Maker(("./sleep2", "1"))
    m.launch(41, "sleep2", "1")
    m.add(
        Call, pid=41, tid=41, name="rt_sigaction", effects=(Disposition(signo=14, action="catch"),)
    )
    m.add(Call, pid=41, tid=41, name="alarm", effects=(Timer(signo=14, seconds=1.0),))
    m.fork(41, 42, "sleep2")
    m.add(Call, pid=42, tid=42, name="kill", effects=(Sent(target=41, signo=2),))
    thread = ThreadSample(tid=41, state="S", call="pause", blocked=2, pending=0)
    m.add(
        Sample,
        processes=(
            ProcessSample(pid=41, state="S", name="sleep2", ppid=1, pending=2, threads=(thread,)),
        ),
    )
    m.wait(41, "pause")
    m.add(Exited, pid=42)
    return m.state


def tree(leaves: int = 54) -> State:
    """make, six shells, nine workers under each: 61 processes without a pipe."""
    m = Maker(("make", "-j"))
    m.launch(100, "make", "-j")
    pid = 100
    for _ in range(6):
        pid += 1
        shell = pid
        m.fork(100, shell)
        m.execute(shell, "sh", "-c", "cc ...")
        for _ in range(leaves // 6):
            pid += 1
            m.fork(shell, pid)
            m.execute(pid, "cc1", "x.c")
        m.wait(shell, "wait4")
    m.wait(100, "wait4")
    return m.state


def ring(count: int = 4) -> State:
    """Every process writes into the next one's pipe."""
    m = Maker(("./ring",))
    m.launch(60, "ring", str(count))
    pipes = [pipe(800 + i) for i in range(count)]
    for number, thing in enumerate(pipes):
        m.pipe(60, 10 + 2 * number, 11 + 2 * number, thing)
    for number in range(count):
        m.fork(60, 61 + number, "node")
    for number in range(count):
        for other in range(count):
            keep = {10 + 2 * number, 11 + 2 * ((number + 1) % count)}
            m.close(61 + number, *({10 + 2 * other, 11 + 2 * other} - keep))
    for other in range(count):
        m.close(60, 10 + 2 * other, 11 + 2 * other)
    m.wait(60, "wait4")
    for number in range(1, count):
        m.wait(61 + number, "read", 10 + 2 * number, pipes[number].key)
    return m.state


def forgotten_end() -> State:
    """The reader still has the write end, so its read never ends."""
    p = pipe(4711)
    m = Maker(("./eof",))
    m.launch(70, "parent")
    m.pipe(70, 3, 4, p)
    m.fork(70, 71, "child")
    m.close(70, 3)
    m.move(70, "write", 4, p, 5)
    m.move(71, "read", 3, p, 5)
    m.level(p, 0)
    m.wait(71, "read", 3, p.key)
    return m.state


EVENTFD = ObjectInfo(key="eventfd:1", kind="eventfd", path="anon_inode:[eventfd]")


def eventfd_maker() -> Maker:
    """A parent and two children that have inherited its eventfd, which is close-on-exec."""
    m = Maker(("./workers",))
    m.launch(80, "parent")
    made = Opened(fd=3, ofd=200, object=EVENTFD, mode="rw", cloexec=True)
    m.add(Call, pid=80, tid=80, name="eventfd2", ret=3, effects=(made,))
    m.fork(80, 81, "reader")
    m.fork(80, 82, "other")
    return m


def eventfd() -> State:
    """One child sleeps until another process adds to the eventfd; the parent did once."""
    m = eventfd_maker()
    m.move(80, "write", 3, EVENTFD, 8)
    m.move(81, "read", 3, EVENTFD, 8)
    m.add(Sample, levels=(Level(object=EVENTFD.key, queued=0),))
    m.wait(81, "read", 3, EVENTFD.key)
    return m.state


def ended() -> State:
    """A zombie, and one that is gone."""
    m = pipeline_maker(("yes",), ("head", "-1"))
    m.add(Exited, pid=13, code=0)
    m.add(Exited, pid=12, signo=13)
    m.add(Reaped, pid=13, by=11)
    return m.state


ALL = {
    "pipeline_full": pipeline_full,
    "pipeline_three": pipeline_three,
    "fan": fan,
    "client_server": client_server,
    "mmap_queue": mmap_queue,
    "sleep_race": sleep_race,
    "tree": tree,
    "ring": ring,
    "forgotten_end": forgotten_end,
    "eventfd": eventfd,
    "ended": ended,
}
