"""Programs that the doctor is to find something wrong in, by rule, and near-misses: programs that
do nearly the same and are right. Pure data.

A program is `LANGUAGE:TEXT`: `c:` a way of a program of tests/programs, `sh:` and `bash:` a script
(some call `PERL`), `py:` a Python program, which has those of `MODULES` imported that it names.
`NAME` stands for a name in /dev/shm that nobody else uses, with a slash before it where one is
wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

MODULES: Final = (
    "fcntl", "mmap", "os", "select", "signal", "socket", "struct", "subprocess", "sys", "threading",
    "time",
)  # fmt: skip


class RulePrograms(NamedTuple):
    """Of one rule.

    Attributes:
        wrong: Programs in which it finds something, and no other rule does.
        near: Programs in which no rule finds anything, though they come near this one.
        guesses: Those of the former of which it is only probable.
        lacking: Why there is none in some language, by language: it can't make this fault, or makes
            it as others do that are here.
    """

    wrong: tuple[str, ...]
    near: tuple[str, ...]
    guesses: tuple[str, ...] | None = ()
    lacking: Mapping[str, str] = {}


ALL: Final = None
"""All of the programs' findings are only probable."""

PERL: Final = "perl -e"
"""Where there is no Perl, programs that call it are not run."""

# Why there is no program of a rule in a language.
ALIKE: Final = "its calls would be those of the program in Python"
NO_SOCKETS: Final = "it makes no sockets"
NO_OBJECTS: Final = "it has no semaphores and no message queues"
NO_MEMORY: Final = "it maps no files"

# Near-misses that several rules have.
COMMUNICATES: Final = (
    "py:p = subprocess.Popen(['cat'], stdin=-1, stdout=-1); p.communicate(bytes(300000))"
)
COPROCESS: Final = (
    "bash:coproc cat; echo x >&${COPROC[1]}; read -u ${COPROC[0]} line; exec {COPROC[1]}>&-; wait"
)
SLOW_READER: Final = "sh:seq 100000 | (sleep 1.5; cat)"
OWN_PIPE_OF_HANDLER: Final = """py:
    r, w = os.pipe()
    signal.signal(signal.SIGUSR1, lambda *_: os.write(w, b"x"))
    os.read(r, 1)
    """
BARRIER: Final = """py:
    r, w = os.pipe()
    if os.fork() == 0:
        os.close(r)
        time.sleep(2.5)
        os._exit(0)
    os.close(w)
    os.read(r, 1)
    os.wait()
    """
SERVED_FIFO: Final = "sh:mkfifo both; (sleep 1.5; echo x >both) & exec 3<>both; read line <&3; wait"
FIRST_LINE: Final = "sh:yes | head -1"
STOPPED_AWHILE: Final = "sh:sleep 2 & kill -STOP $!; sleep 1; kill -CONT $!; wait"
RELEASED_LATE: Final = (
    "py:s = threading.Semaphore(0); threading.Timer(1.5, s.release).start(); s.acquire()"
)
ENDS_AT_ZERO: Final = "sh:seq 10 | cat"
EACH_HAS_HIS: Final = "bash:printf 'a\\nb\\n' | while read -r x; do cat </dev/null; done"
OWN_NONBLOCKING: Final = """py:
    r, w = os.pipe()
    os.set_blocking(r, False)
    try: os.read(r, 1)
    except BlockingIOError as error: print(error, file=sys.stderr)
    """
_LINKED: Final = """py:
    import ctypes
    f = os.open("x", os.O_RDWR | os.O_CREAT)
    os.ftruncate(f, 8192)
    m = mmap.mmap(f, 8192)
    m[16:24] = struct.pack("Q", ctypes.addressof(ctypes.c_char.from_buffer(m)) + 100)
    code = "import mmap, os, time; m = mmap.mmap(os.open('x', 2), 8192); time.sleep(0.3)"
    subprocess.run([sys.executable, "-c", code])
    """
_FORKED_LOCK: Final = """py:
    lock = threading.Lock()
    def hold():
        with lock: time.sleep(60)
    threading.Thread(target=hold, daemon=True).start()
    time.sleep(0.1)
    if os.fork() == 0: lock.acquire()
    os.wait()
    """
_LOCKING_HANDLER: Final = """py:
    lock = threading.Lock()
    signal.signal(10, lambda *_: lock.acquire())
    with lock: os.kill(os.getpid(), 10)
    """
_LOCKING_TIMER: Final = """py:
    lock = threading.Lock()
    def log(*_):
        with lock: print("tick")
    signal.signal(14, log)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with lock: time.sleep(1)
    """
_SHARED_BY_FORK: Final = """py:
    import ctypes
    libc, memory = ctypes.CDLL(None), mmap.mmap(-1, 4096)
    semaphore = ctypes.c_char.from_buffer(memory)
    libc.sem_init(ctypes.byref(semaphore), SHARED, 0)
    if os.fork() == 0: os._exit(libc.sem_wait(ctypes.byref(semaphore)))
    time.sleep(0.5)
    libc.sem_post(ctypes.byref(semaphore))
    os.wait()
    """
_UNREAD_FIFO: Final = "sh:mkfifo p; seq 100000 >p & exec 3<p; wait"
_TAKEN_TWICE: Final = "py:lock = threading.Lock(); lock.acquire(); lock.acquire()"
_OWN_SEMAPHORE: Final = """py:
    import posix_ipc
    s = posix_ipc.Semaphore("/NAME", posix_ipc.O_CREX, initial_value=1)
    s.acquire()
    if not os.fork():
        s.acquire()
    os.wait()
    """

PROGRAMS: Final[dict[str, RulePrograms]] = {
    "wait-before-read": RulePrograms(
        (
            "c:doctor_hangs wait_before_read",
            "c:doctor_hangs wait_for_grandchild",
            "c:doctor_hangs wait_over_socket_much",
            "py:p = subprocess.Popen(['seq', '100000'], stdout=subprocess.PIPE); p.wait()",
            "py:p = subprocess.Popen('seq 100000; true', shell=True, stderr=subprocess.PIPE,"
            " stdout=subprocess.PIPE); p.wait(); p.stdout.read()",
            "bash:exec 3< <(seq 100000); wait $!",
            _UNREAD_FIFO,
        ),
        (
            "c:doctor_right waits_for_little",
            "sh:mkfifo p; (sleep 1; seq 10) >p & exec 3<p; wait",
            "py:p = subprocess.Popen(['seq', '100000'], stdout=-1); p.stdout.read(); p.wait()",
            SLOW_READER,
            "py:p = subprocess.Popen(['sleep', '2'], stdout=subprocess.PIPE); p.communicate()",
        ),
        (_UNREAD_FIFO,),
    ),
    "orphan-keeps-pipe": RulePrograms(
        (
            "bash:x=$(sleep 60 & echo hi); echo $x",
            "py:subprocess.run(['sh', '-c', 'sleep 60 & echo hi'], stdout=subprocess.PIPE)",
            "sh:(sh -c 'sleep 60 & :'; echo done) | cat",
        ),
        (
            "bash:x=$(sleep 3 >/dev/null & echo hi); echo $x",
            "sh:(sleep 2.6; echo late) | cat",
            "py:subprocess.run(['sh', '-c', 'sleep 3 >/dev/null 2>&1 & echo hi'], stdout=-1)",
        ),
        lacking={"c": ALIKE},
    ),
    "leaked-descriptor": RulePrograms(
        (
            "c:doctor_hangs leaked_end",
            "bash:exec 3> >(cat); echo hi >&3; sleep 30 & exec 3>&-; wait",
            """py:
            a = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
            os.set_inheritable(a.stdin.fileno(), True)
            b = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
            a.stdin.close()
            a.wait()
            """,
            """py:
            s = socket.create_server(("127.0.0.1", 0))
            if os.fork() == 0:
                c = socket.create_connection(s.getsockname())
                c.send(b"hi")
                while c.recv(10): pass
                os._exit(0)
            c, _ = s.accept()
            c.set_inheritable(True)
            subprocess.Popen(["sleep", "30"], close_fds=False)
            c.recv(10)
            c.close()
            os.wait()
            """,
        ),
        (
            # Nothing but the other program's end is waited for; it is closed on exec; it is used.
            """py:
            r, w = os.pipe()
            os.set_inheritable(w, True)
            subprocess.Popen(["sleep", "2.6"], close_fds=False)
            os.close(w)
            os.read(r, 1)
            """,
            "bash:exec 3> >(cat); echo hi >&3; sleep 3 3>&- & exec 3>&-; wait",
            "c:doctor_right closed_on_exec",
            "bash:{ echo hi >&3; exec sh -c 'sleep 2.6; echo late >&3'; } 3>&1 >/dev/null | cat",
        ),
    ),
    "own-write-end": RulePrograms(
        (
            "c:doctor_hangs own_write_end",
            "c:doctor_hangs waiters_write_end",
            "py:r, w = os.pipe(); os.write(w, b'x'); os.read(r, 1); os.read(r, 1)",
            "py:r, w = os.pipe(); os.fork() or (os.write(w, b'x'), os._exit(0)); f = os.fdopen(r);"
            " f.read()",
            """py:
            a, b = socket.socketpair()
            if os.fork() == 0:
                a.close()
                b.send(b"x")
                os._exit(0)
            while a.recv(10): pass
            """,
            OWN_PIPE_OF_HANDLER,
        ),
        (
            BARRIER,
            SERVED_FIFO,
            "c:doctor_right own_pipe",
            "py:r, w = os.pipe(); threading.Timer(1.5, os.write, (w, b'x')).start(); os.read(r, 1)",
        ),
        guesses=(OWN_PIPE_OF_HANDLER,),
        lacking={"sh": "what it has open for both is a FIFO, which others can open"},
    ),
    "own-read-end": RulePrograms(
        (
            "c:doctor_hangs own_read_end",
            "c:doctor_hangs waiters_read_end",
            "py:r, w = os.pipe(); os.write(w, bytes(200000))",
        ),
        (
            FIRST_LINE,
            "c:doctor_right filled",
            "py:r, w = os.pipe(); threading.Timer(1.5, os.read, (r, 70000)).start();"
            " os.write(w, bytes(80000))",
        ),
        lacking={"sh": "what it has open for both is a FIFO, which others can open"},
    ),
    "waits-for-input": RulePrograms(
        (
            "c:doctor_hangs waits_for_input",
            "py:p = subprocess.Popen(['cat'], stdin=subprocess.PIPE); p.wait()",
            "py:p = subprocess.Popen(['sort'], stdin=subprocess.PIPE); p.stdin.write(b'x\\n');"
            " p.stdin.flush(); p.wait()",
            "bash:coproc cat; wait",
        ),
        (
            "py:p = subprocess.Popen(['cat'], stdin=subprocess.PIPE); p.stdin.close(); p.wait()",
            "py:p = subprocess.Popen(['cat'], stdin=subprocess.PIPE);"
            " threading.Timer(1.5, p.stdin.close).start(); p.wait()",
            COPROCESS,
        ),
    ),
    "feeding-circle": RulePrograms(
        (
            "c:doctor_hangs both_full",
            "c:doctor_hangs both_empty",
            "c:doctor_hangs coprocess",
            "bash:coproc sort; echo b >&${COPROC[1]}; read line <&${COPROC[0]}",
            "py:p = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
            " p.stdin.write(bytes(300000)); p.stdin.flush()",
            "py:p = subprocess.Popen(['tr', 'a', 'b'], stdin=subprocess.PIPE,"
            " stdout=subprocess.PIPE); p.stdin.write(b'a\\n'); p.stdin.flush();"
            " p.stdout.readline()",
        ),
        (COMMUNICATES, COPROCESS, "c:doctor_right turns"),
        (
            "c:doctor_hangs both_empty",
            "c:doctor_hangs coprocess",
            "bash:coproc sort; echo b >&${COPROC[1]}; read line <&${COPROC[0]}",
            "py:p = subprocess.Popen(['tr', 'a', 'b'], stdin=subprocess.PIPE,"
            " stdout=subprocess.PIPE); p.stdin.write(b'a\\n'); p.stdin.flush();"
            " p.stdout.readline()",
        ),
    ),
    "stdio-buffer": RulePrograms(
        (
            "bash:while echo abc; do sleep 0.2; done | tr a b | cat",
            "sh:(while echo abc; do sleep 0.2; done) | grep b | cat",
            """py:
            a = subprocess.Popen(["sh", "-c", "while echo a; do sleep 0.2; done"], stdout=-1)
            code = "import sys\\nfor line in sys.stdin: print(line, end='')"
            b = subprocess.Popen([sys.executable, "-E", "-c", code], stdin=a.stdout, stdout=-1)
            a.stdout.close()
            b.stdout.readline()
            """,
        ),
        (
            "sh:(for i in 1 2 3 4 5; do echo $i; sleep 0.6; done) | sort -n | cat",
            "sh:(for i in 1 2 3 4 5; do echo $i; sleep 0.6; done) | grep --line-buffered . | cat",
            "sh:(for i in 1 2 3 4 5; do echo $i; sleep 0.6; done) | sed -u s/1/2/ | cat",
            "sh:(for i in 1 2 3 4 5; do echo $i; sleep 0.6; done) | gzip | cat >/dev/null",
            "bash:(for i in 1 2 3 4 5; do echo $i; sleep 0.6; done) |"
            " (while read -r x; do y=$x; done; echo $y) | cat",
        ),
        ALL,
        lacking={"c": ALIKE},
    ),
    "fifo-open": RulePrograms(
        (
            "c:doctor_hangs fifo_alone",
            "c:doctor_hangs fifo_crossed",
            "sh:mkfifo alone; cat alone",
            "sh:mkfifo a b; (exec 3>a 4<b) & exec 3>b 4<a",
            "py:os.mkfifo('nobody'); open('nobody', 'w')",
        ),
        (
            "sh:mkfifo f; (sleep 1; echo x >f) & cat f; wait",
            SERVED_FIFO,
            "py:os.mkfifo('f'); os.open('f', os.O_RDONLY | os.O_NONBLOCK); time.sleep(1.5)",
        ),
        ALL,
    ),
    "datagram-end": RulePrograms(
        (
            "c:doctor_hangs datagram_pair",
            """py:
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            if os.fork() == 0:
                a.close()
                b.send(b"x")
                os._exit(0)
            while a.recv(10): pass
            """,
            "py:a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); b.close();"
            " select.select([a], [], [])",
        ),
        (
            "c:doctor_right packets",
            "c:doctor_right last_datagram",
            """py:
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            b.close()
            a.settimeout(1.5)
            try: a.recv(10)
            except TimeoutError: pass
            """,
        ),
        lacking={"sh": NO_SOCKETS},
    ),
    "inherited-lock": RulePrograms(
        (
            "c:doctor_hangs lock_of_child",
            "bash:(flock 9; sleep 30 & ) 9>lock; flock lock true",
            "bash:(flock 9; sleep 1 & ) 9>lock; flock -n lock true",
            """py:
            f = open("lock", "w")
            fcntl.flock(f, fcntl.LOCK_EX)
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
            f.close()
            fcntl.flock(open("lock"), fcntl.LOCK_EX)
            """,
        ),
        (
            "bash:(flock 9; sleep 1 9>&- & ) 9>lock; flock lock true",
            "bash:flock lock sleep 2.6 & sleep 0.3; flock lock true; wait",
            "c:doctor_right unlocked",
            # A daemon keeps its lock over the fork, so that there is only one of it.
            """py:
            f = open("lock", "w")
            fcntl.flock(f, fcntl.LOCK_EX)
            if os.fork() == 0:
                if os.fork() == 0: time.sleep(1)
                os._exit(0)
            f.close()
            os.wait()
            try: fcntl.flock(open("lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError: pass
            """,
        ),
        ("bash:(flock 9; sleep 1 & ) 9>lock; flock -n lock true",),
    ),
    "handler-lock": RulePrograms(
        (
            "c:doctor_hangs handler_mutex",
            "c:doctor_hangs handler_alarm",
            "c:doctor_hangs handler_by_child",
            """py:
            import ctypes
            libc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(40)
            handle = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda n: libc.pthread_mutex_lock(lock))
            libc.signal(10, handle)
            libc.pthread_mutex_lock(lock)
            os.kill(os.getpid(), 10)
            """,
            """py:
            import ctypes
            libc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(40)
            handle = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda n: libc.sem_wait(lock))
            libc.sem_init(lock, 0, 1)
            libc.signal(10, handle)
            libc.sem_wait(lock)
            os.kill(os.getpid(), 10)
            """,
            _LOCKING_HANDLER,
            _LOCKING_TIMER,
        ),
        (
            "c:doctor_right handler_notes",
            "c:doctor_right handler_tries",
            "c:doctor_right handler_takes",
            _LOCKING_HANDLER.replace("Lock()", "RLock()"),
            _LOCKING_HANDLER.replace("acquire()", "acquire(blocking=False)"),
            # A handler gives what its program waits for, and others run meanwhile.
            """py:
            done = threading.Event()
            signal.signal(10, lambda *_: None)
            signal.signal(14, lambda *_: done.set())
            if os.fork() == 0:
                time.sleep(0.5)
                os.kill(os.getppid(), 10)
                time.sleep(1)
                os.kill(os.getppid(), 14)
                os._exit(0)
            done.wait()
            """,
        ),
        (_LOCKING_HANDLER, _LOCKING_TIMER),
        lacking={"sh": "it runs a trap between two commands, and takes no lock for that"},
    ),
    "forked-lock": RulePrograms(
        (
            "c:doctor_hangs forked_mutex",
            "c:doctor_hangs forked_on_heap",
            _FORKED_LOCK,
        ),
        (
            "c:doctor_right fork_exec",
            "c:doctor_right fork_after",
            "c:doctor_right fork_anew",
        ),
        (_FORKED_LOCK,),
        lacking={"sh": "it has one thread"},
    ),
    "dead-owner": RulePrograms(
        (
            "c:doctor_hangs dead_mutex",
            "c:doctor_hangs dead_semaphore",
            "c:doctor_hangs dead_system_v",
            """py:
            import ctypes
            libc, memory = ctypes.CDLL(None), mmap.mmap(-1, 4096)
            lock, how = ctypes.c_char.from_buffer(memory), ctypes.create_string_buffer(8)
            libc.pthread_mutexattr_init(how)
            libc.pthread_mutexattr_setpshared(how, 1)
            libc.pthread_mutex_init(ctypes.byref(lock), how)
            if os.fork() == 0: os._exit(libc.pthread_mutex_lock(ctypes.byref(lock)))
            os.wait()
            libc.pthread_mutex_lock(ctypes.byref(lock))
            """,
            # Its semaphore has a name for a moment only: nobody else can come to it.
            """py:
            import multiprocessing
            lock = multiprocessing.Lock()
            if os.fork() == 0:
                lock.acquire()
                os.kill(os.getpid(), 9)
            os.wait()
            lock.acquire()
            """,
        ),
        (
            "c:doctor_right robust",
            "c:doctor_right undone",
            "c:doctor_right given_back",
            """py:
            import multiprocessing
            lock = multiprocessing.Lock()
            if os.fork() == 0:
                with lock: os.getpid()
                os.kill(os.getpid(), 9)
            os.wait()
            lock.acquire()
            """,
        ),
        ("c:doctor_hangs dead_system_v",),
        lacking={"sh": "its locks are those of flock(1), which the kernel gives back"},
    ),
    "stale-semaphore": RulePrograms(
        (
            "c:doctor_hangs stale_semaphore /NAME",
            "py:import posix_ipc; posix_ipc.Semaphore('/NAME').acquire()",
            "py:import posix_ipc; s = posix_ipc.Semaphore('/NAME', posix_ipc.O_CREAT,"
            " initial_value=1); os.fork(); s.acquire()",
        ),
        (
            "c:doctor_right named_new /NAME",
            "c:doctor_right named_one /NAME",
            "py:import posix_ipc; s = posix_ipc.Semaphore('/NAME', posix_ipc.O_CREX);"
            " threading.Timer(1.5, s.release).start(); s.acquire(); s.unlink()",
        ),
        ALL,
        lacking={"sh": NO_OBJECTS},
    ),
    "private-semaphore": RulePrograms(
        (
            "c:doctor_hangs private_semaphore",
            "c:doctor_hangs copied_semaphore",
            "c:doctor_hangs heap_semaphore",
            _SHARED_BY_FORK.replace("SHARED", "0"),
            """py:
            lock = threading.Lock()
            lock.acquire()
            if os.fork() == 0:
                lock.acquire()
                os._exit(0)
            lock.release()
            os.wait()
            """,
        ),
        (
            "c:doctor_right shared_semaphore",
            "c:doctor_right of_threads",
            "c:doctor_right named_new /NAME",
            RELEASED_LATE,
            _SHARED_BY_FORK.replace("SHARED", "1"),
        ),
        lacking={"sh": "it has no memory that it could share"},
    ),
    "lost-wakeup": RulePrograms(
        (
            "c:doctor_hangs lost_usr1",
            "c:doctor_hangs lost_alarm",
            "py:signal.signal(10, lambda *a: None); os.kill(os.getpid(), 10); signal.pause()",
        ),
        (
            "c:doctor_right suspended",
            "c:doctor_right paused",
            "c:doctor_right alarmed",
        ),
        ALL,
        lacking={"sh": "it waits for programs, and has no pause"},
    ),
    "queue": RulePrograms(
        (
            "c:doctor_hangs queue_type",
            "c:doctor_hangs queue_full",
            "py:import posix_ipc; q = posix_ipc.MessageQueue('/NAME', posix_ipc.O_CREX);"
            " q.unlink(); q.receive()",
        ),
        (
            "c:doctor_right queue_any",
            "c:doctor_right queue_typed",
            "c:doctor_right queue_tried /NAME",
        ),
        ALL,
        lacking={"sh": NO_OBJECTS},
    ),
    "stopped": RulePrograms(
        (
            "c:doctor_hangs stopped_child",
            "c:doctor_hangs stopped_writer",
            "sh:(kill -STOP $(exec sh -c 'echo $PPID'); echo) | cat",
            "py:p = subprocess.Popen(['sleep', '1']); p.send_signal(19); p.wait()",
        ),
        (
            STOPPED_AWHILE,
            "sh:sleep 3 & kill -STOP $!; sleep 2.2; kill -CONT $!; wait",
            "py:p = subprocess.Popen(['sleep', '1']); os.kill(p.pid, 19);"
            " os.waitpid(p.pid, os.WUNTRACED); os.kill(p.pid, 18); p.wait()",
        ),
    ),
    "vfork-wait": RulePrograms(
        (
            "c:doctor_hangs vfork_reads",
            "c:doctor_hangs vfork_locks",
            """py:
            import ctypes
            r, w = os.pipe()
            ctypes.CDLL(None).vfork() or (os.read(r, 1), os._exit(0))
            """,
        ),
        (
            "c:doctor_right vfork_slow",
            "c:doctor_right vfork_exec",
            "py:subprocess.run(['sleep', '1.5'])",
        ),
        lacking={"sh": "what it starts by vfork executes a program at once"},
    ),
    "lock-order": RulePrograms(
        (
            "c:doctor_hangs mutex_order",
            "c:doctor_hangs mutex_order_of_processes",
            "c:doctor_hangs file_lock_order",
            """py:
            (r, w), (s, x) = os.pipe(), os.pipe()
            child = not os.fork()
            a, b = (os.open(n, os.O_RDWR | os.O_CREAT) for n in ("py1", "py2"))
            if child:
                fcntl.flock(b, fcntl.LOCK_EX); os.write(x, b"x"); os.read(r, 1)
                fcntl.flock(a, fcntl.LOCK_EX)
            else:
                fcntl.flock(a, fcntl.LOCK_EX); os.write(w, b"x"); os.read(s, 1)
                fcntl.flock(b, fcntl.LOCK_EX)
            """,
            "bash:(exec 8>a 9>b; flock 8; sleep 0.4; flock 9) &"
            " (exec 8>a 9>b; flock 9; sleep 0.4; flock 8) & wait",
        ),
        (
            "c:doctor_right same_order",
            "c:doctor_right tried",
            "c:doctor_right recursive",
            "bash:(exec 8>a 9>b; flock 8; sleep 0.4; flock 9) &"
            " (exec 8>a 9>b; flock 8; sleep 0.4; flock 9) & wait",
        ),
    ),
    "circle": RulePrograms(
        (
            _OWN_SEMAPHORE,
            "c:doctor_hangs waits_with_lock",
            """py:
            f = open("lock", "w")
            fcntl.lockf(f, fcntl.LOCK_EX)
            if not os.fork():
                fcntl.lockf(open("lock", "r+"), fcntl.LOCK_EX)
                os._exit(0)
            os.wait()
            """,
        ),
        (
            "c:doctor_right let_go",
            "py:t = threading.Thread(target=time.sleep, args=(2,)); t.start(); t.join()",
            "sh:sleep 2 & sleep 2; wait",
        ),
        (_OWN_SEMAPHORE,),
        lacking={
            "sh": "its programs wait for each other by pipes and by flock: other rules name that"
        },
    ),
    # What is wrong though nothing hangs.
    "nobody-left": RulePrograms(
        (
            "c:nobody_left ended",
            "c:nobody_left died",
            "c:nobody_left twice_asleep",
            _TAKEN_TWICE,
            """py:
            event = threading.Event()
            threading.Thread(target=lambda: 1 / 0 or event.set()).start()
            event.wait()
            """,
            "py:r, w = os.pipe(); poll = select.poll(); poll.register(r, 1); poll.poll()",
            "py:import asyncio; asyncio.run(asyncio.wait_for(asyncio.Event().wait(), None))",
        ),
        (
            "c:nobody_left late",
            "c:nobody_left posted",
            """py:
            event = threading.Event()
            signal.signal(signal.SIGUSR1, lambda *_: event.set())
            if os.fork() == 0:
                time.sleep(3)
                os.kill(os.getppid(), signal.SIGUSR1)
                os._exit(0)
            event.wait()
            os.wait()
            """,
            "py:import asyncio; asyncio.run(asyncio.wait_for(asyncio.sleep(2.5), 9))",
            # A handler gives what is taken twice.
            """py:
            lock = threading.Lock()
            signal.signal(14, lambda *_: lock.release())
            lock.acquire()
            if os.fork() == 0:
                time.sleep(1.5)
                os.kill(os.getppid(), 14)
                os._exit(0)
            lock.acquire()
            """,
        ),
        ALL,
        lacking={"sh": "its programs wait for children, pipes and files, and not in memory"},
    ),
    "short-write": RulePrograms(
        (
            "c:doctor_deeds short",
            "py:r, w = os.pipe(); os.set_blocking(w, False); os.write(w, bytes(100000));"
            " os.close(w)",
            "py:a, b = socket.socketpair(); a.setblocking(False); a.send(bytes(10**7)); a.close()",
        ),
        (
            "c:doctor_deeds short_continued",
            "py:r, w = os.pipe(); os.set_blocking(w, False); n = os.write(w, bytes(100000));"
            " os.read(r, 65536); os.write(w, bytes(100000 - n)); os.close(w)",
            "c:doctor_right filled",
        ),
        lacking={"sh": "its commands write on"},
    ),
    "short-read": RulePrograms(
        (
            "c:doctor_deeds short_read",
            """py:
            r, w = os.pipe()
            if os.fork() == 0:
                os.close(r)
                for _ in range(3):
                    os.write(w, bytes(8))
                    time.sleep(0.1)
                    os.write(w, bytes(16))
                os._exit(0)
            os.close(w)
            os.read(r, 24)
            time.sleep(0.6)
            while os.read(r, 24): pass
            """,
            """py:
            a, b = socket.socketpair()
            if os.fork() == 0:
                a.close()
                b.send(bytes(5))
                time.sleep(0.3)
                b.send(bytes(7))
                os._exit(0)
            b.close()
            struct.unpack("12s", a.recv(12))
            """,
            "bash:dd if=/dev/zero bs=300000 count=2 2>/dev/null | dd bs=300000 count=1 of=x",
        ),
        (
            "c:doctor_right whole_records",
            "bash:dd if=/dev/zero bs=300000 count=2 2>/dev/null |"
            " dd bs=300000 count=2 iflag=fullblock of=x",
            """py:
            a, b = socket.socketpair()
            if os.fork() == 0:
                a.close()
                b.send(bytes(5))
                time.sleep(0.2)
                b.send(bytes(7))
                os._exit(0)
            b.close()
            struct.unpack("12s", a.recv(12, socket.MSG_WAITALL))
            """,
            # Messages of their own sizes, and room for any.
            """py:
            a, b = socket.socketpair()
            if os.fork() == 0:
                a.close()
                for size in (10, 20, 70, 30): b.send(bytes(size)); time.sleep(0.1)
                os._exit(0)
            b.close()
            while a.recv(100): pass
            """,
        ),
        ALL,
    ),
    "end-of-file-loop": RulePrograms(
        (
            "py:r, w = os.pipe(); os.close(w)\nfor _ in range(60): os.read(r, 1)",
            """py:
            os.mkfifo("f")
            if os.fork() == 0:
                open("f", "w").close()
                os._exit(0)
            f = os.open("f", os.O_RDONLY)
            os.wait()
            for _ in range(60): os.read(f, 10)
            """,
            "sh:mkfifo f; (echo x > f) & exec 3<f; i=0;"
            " while [ $i -lt 60 ]; do read -r line <&3; i=$((i + 1)); done",
        ),
        (
            ENDS_AT_ZERO,
            "sh:mkfifo f; (echo a > f; sleep 0.9; echo b > f) & read x < f; sleep 0.4; read x < f;"
            " wait",
            "py:for _ in range(60): r, w = os.pipe(); os.close(w); os.read(r, 1); os.close(r)",
        ),
        lacking={"c": ALIKE},
    ),
    "hang-up-loop": RulePrograms(
        (
            "c:doctor_deeds epoll_end",
            """py:
            r, w = os.pipe()
            os.close(w)
            poll = select.poll()
            poll.register(r, select.POLLIN)
            for _ in range(60): poll.poll()
            """,
            """py:
            r, w = os.pipe()
            if os.fork() == 0: os._exit(0)
            os.close(w)
            for _ in range(60): select.select([r], [], [])
            """,
            # A descriptor that is closed, and left in the set.
            """py:
            r, w = os.pipe()
            poll = select.poll()
            poll.register(r, select.POLLIN)
            os.close(r)
            for _ in range(60): poll.poll(1000)
            """,
        ),
        (
            "c:doctor_right poll_close",
            """py:
            r, w = os.pipe()
            for _ in range(60): select.select([r], [], [], 0.01)
            """,
            """py:
            r, w = os.pipe()
            if os.fork() == 0:
                for _ in range(60): os.write(w, b"x")
                os._exit(0)
            os.close(w)
            os.wait()
            while select.select([r], [], []) and os.read(r, 1): pass
            """,
        ),
        lacking={"sh": "it does not poll"},
    ),
    "broken-pipe-loop": RulePrograms(
        (
            "c:doctor_deeds broken",
            """py:
            a, b = socket.socketpair()
            b.close()
            for _ in range(20):
                try: a.send(b"x")
                except OSError: pass
            """,
            "bash:trap '' PIPE; (sleep 0.2; for i in {1..30}; do echo $i; done) 2>/dev/null | true",
        ),
        (
            "c:doctor_deeds broken_once",
            "sh:trap '' PIPE; seq 100000 2>/dev/null | head -1",
            """py:
            for _ in range(12):
                a, b = socket.socketpair()
                b.close()
                try: a.send(b"x")
                except OSError: a.close()
            """,
        ),
    ),
    "sigpipe-death": RulePrograms(
        (
            "c:doctor_deeds sigpipe",
            "py:signal.signal(13, signal.SIG_DFL); r, w = os.pipe(); os.close(r);"
            " os.write(w, b'x')",
            "py:signal.signal(13, signal.SIG_DFL); a, b = socket.socketpair(); b.close();"
            " a.send(b'x')",
        ),
        (
            FIRST_LINE,
            "c:doctor_deeds broken_once",
            "py:signal.signal(13, signal.SIG_DFL); a, b = socket.socketpair(); b.close()\n"
            "try: a.send(b'x', socket.MSG_NOSIGNAL)\nexcept OSError: pass",
        ),
        lacking={"sh": "its commands write to their standard output, and are meant to end so"},
    ),
    "mixed-writes": RulePrograms(
        (
            "c:doctor_deeds mixed",
            """py:
            r, w = os.pipe()
            if os.fork() == 0:
                os._exit(os.write(w, bytes(90000)) < 0)
            time.sleep(0.3)
            os.read(r, 4096)
            if os.fork() == 0:
                os._exit(os.write(w, b"late") < 0)
            os.close(w)
            time.sleep(0.3)
            while os.read(r, 4096): time.sleep(0.02)
            """,
            """py:
            os.mkfifo("f")
            if os.fork() == 0:
                os._exit(os.write(os.open("f", os.O_WRONLY), bytes(90000)) < 0)
            f = os.open("f", os.O_RDONLY)
            time.sleep(0.3)
            os.read(f, 4096)
            if os.fork() == 0:
                os._exit(os.write(os.open("f", os.O_WRONLY), b"late") < 0)
            time.sleep(0.3)
            while os.read(f, 4096): time.sleep(0.02)
            """,
            # Two that sleep in their writes at the same time, and are let in by turns.
            "c:doctor_deeds turns",
            """py:
            r, w = os.pipe()
            for letter in b"ab":
                if os.fork() == 0: os._exit(os.write(w, bytes([letter]) * 100000) < 0)
            os.close(w)
            time.sleep(0.3)
            while os.read(r, 4096): time.sleep(0.02)
            """,
            "sh:(dd if=/dev/zero bs=99999 count=1 & dd if=/dev/zero bs=99999 count=1; wait)"
            " 2>/dev/null | (sleep 0.5; for i in $(seq 40); do head -c 4096; sleep 0.02; done"
            " >/dev/null; cat >/dev/null)",
        ),
        (
            "c:doctor_deeds whole",
            # Both sleep, and the first has room for all of its rest when it is let in.
            """py:
            r, w = os.pipe()
            for letter in b"ab":
                if os.fork() == 0: os._exit(os.write(w, bytes([letter]) * 100000) < 0)
            os.close(w)
            while os.read(r, 65536): time.sleep(0.3)
            """,
            # Both sleep, and neither is longer than PIPE_BUF.
            """py:
            r, w = os.pipe()
            os.write(w, bytes(65536))
            for letter in b"ab":
                if os.fork() == 0: os._exit(os.write(w, bytes([letter]) * 4096) < 0)
            os.close(w)
            time.sleep(0.3)
            while os.read(r, 1000): pass
            """,
            # One writes alone, in several long writes.
            "sh:dd if=/dev/zero bs=99999 count=3 2>/dev/null | (sleep 0.3; cat >/dev/null)",
            "bash:(for i in {1..99}; do echo aaaaaaa; done & for i in {1..99}; do echo b; done;"
            " wait) | wc",
            """py:
            r, w = os.pipe()
            for size in (90000, 4):
                if os.fork() == 0:
                    fcntl.flock(os.open("lock", os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
                    os._exit(os.write(w, bytes(size)) < 0)
                time.sleep(0.3)
            os.close(w)
            while os.read(r, 4096): pass
            """,
        ),
    ),
    "shared-input": RulePrograms(
        (
            "bash:printf 'a\\nb\\nc\\n' | while read -r x; do cat >/dev/null; done",
            "bash:printf 'a\\nb\\nc\\n' >f; while read -r x; do head -c 100 >/dev/null; done <f",
            "py:open('f', 'w').write('1\\n2\\n3\\n'); f = os.open('f', os.O_RDONLY);"
            " os.dup2(f, 0); os.read(0, 2); subprocess.run(['wc', '-l'], stdout=-3); os.read(0, 2)",
        ),
        (
            "bash:printf 'a\\nb\\n' | (read -r x; cat)",
            EACH_HAS_HIS,
            "bash:printf 'a\\nb\\n' >f; while read -r x <&3; do cat </dev/null; done 3<f",
        ),
        lacking={"c": ALIKE},
    ),
    "output-twice": RulePrograms(
        (
            "c:doctor_deeds printed_twice",
            "py:sys.stdout = open('o', 'w'); print('hello', end=''); os.fork() and os.wait()",
            "py:p = subprocess.Popen([sys.executable, '-E', '-c', 'import os; print(12345);"
            " os.fork()'], stdout=-1); p.stdout.read()",
        ),
        (
            "c:doctor_deeds flushed",
            "py:sys.stdout = open('o', 'w'); print('hello', flush=True); os.fork() and os.wait()",
            "py:sys.stdout = open('o', 'w'); print('hello'); os.fork() or os._exit(0); os.wait()",
        ),
        ALL,
        lacking={"sh": "it writes what it has before it forks"},
    ),
    "datagram-cut": RulePrograms(
        (
            "py:a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.send(bytes(99));"
            " b.recv(10)",
            "py:a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in 'ab');"
            " a.bind(('127.0.0.1', 0)); b.sendto(bytes(50), a.getsockname()); a.recv(20)",
            "py:a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET);"
            " a.send(bytes(99)); b.recv(10)",
        ),
        (
            "py:a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.send(bytes(20));"
            " b.recv(5, socket.MSG_PEEK); b.recv(100)",
            "py:a, b = socket.socketpair(); a.send(bytes(20)); b.recv(5); b.recv(100)",
            "py:a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.send(bytes(20));"
            " a.send(bytes(20)); b.recv(20); b.recv(21)",
        ),
        lacking={"c": ALIKE, "sh": NO_SOCKETS},
    ),
    "merged-signals": RulePrograms(
        (
            "c:doctor_deeds merged",
            "py:signal.signal(10, lambda *_: None); signal.pthread_sigmask(signal.SIG_BLOCK, [10]);"
            " os.kill(os.getpid(), 10); os.kill(os.getpid(), 10)",
            """py:
            signal.signal(12, lambda *_: None)
            signal.pthread_sigmask(signal.SIG_BLOCK, [12])
            pid = os.getpid()
            if os.fork() == 0:
                os.kill(pid, 12)
                os.kill(pid, 12)
                os._exit(0)
            os.wait()
            """,
            "sh:sh -c 'trap : USR1; sleep 1; :' & sleep 0.4; kill -STOP $!; kill -USR1 $!;"
            " kill -USR1 $!; kill -CONT $!; wait",
        ),
        (
            "c:doctor_right queued",
            "c:doctor_right urgent",
            "py:signal.signal(10, lambda *_: None)\nfor _ in range(3): os.kill(os.getpid(), 10)",
        ),
        ALL,
    ),
    "interrupted-call": RulePrograms(
        (
            "c:doctor_deeds interrupted",
            "c:doctor_deeds lock_interrupted",
            "c:doctor_deeds wait_interrupted",
            # Python's own calls are made again (PEP 475), those of libraries are not.
            """py:
            import ctypes
            libc, (r, w) = ctypes.CDLL(None, use_errno=True), os.pipe()
            signal.signal(14, lambda *_: None)
            signal.alarm(1)
            if libc.read(r, ctypes.create_string_buffer(9), 9) < 0:
                sys.exit(os.strerror(ctypes.get_errno()))
            """,
            f"sh:sleep 2 | {PERL} '$SIG{{ALRM}} = sub {{}}; alarm 1;"
            " defined sysread(STDIN, $x, 9) or die qq(read: $!\n)'",
        ),
        (
            "c:doctor_deeds retried",
            "c:doctor_deeds restarted",
            "py:signal.signal(14, lambda *_: None); signal.alarm(1); time.sleep(1.3)",
            f"sh:sleep 2 | {PERL} '$SIG{{ALRM}} = sub {{}}; alarm 1;"
            " defined sysread(STDIN, $x, 9) or $!{EINTR} or die qq(read: $!\n)'",
        ),
    ),
    "shared-nonblocking": RulePrograms(
        (
            "c:doctor_deeds input_switched",
            "py:a, b = socket.socketpair(); a.setblocking(False); subprocess.run(['cat'], stdin=a)",
            """py:
            r, w = os.pipe()
            if os.fork() == 0:
                os.set_blocking(r, False)
                os._exit(0)
            os.wait()
            subprocess.run(["cat"], stdin=r)
            """,
        ),
        (
            OWN_NONBLOCKING,
            # Switched back in time; and of a description of its own.
            "py:r, w = os.pipe(); os.set_blocking(r, False); os.set_blocking(r, True); os.close(w);"
            " subprocess.run(['cat'], stdin=r)",
            "py:r, w = os.pipe(); os.open(f'/proc/self/fd/{r}', os.O_RDONLY | os.O_NONBLOCK);"
            " threading.Timer(0.5, os.close, [w]).start(); subprocess.run(['cat'], stdin=r)",
        ),
        lacking={"sh": "it sets no flags of descriptors"},
    ),
    "ignored-term": RulePrograms(
        (
            "sh:sh -c 'trap \"\" TERM; sleep 4' & sleep 0.5; kill $!; wait",
            """py:
            pid = os.fork()
            if pid == 0:
                signal.pthread_sigmask(signal.SIG_BLOCK, [15])
                time.sleep(4)
                os._exit(0)
            time.sleep(0.5)
            os.kill(pid, 15)
            os.wait()
            """,
            "bash:bash -c 'trap \"exit 0\" TERM; sleep 4; true' & sleep 0.5; kill $!; wait",
            "sh:sh -c 'sleep 4; true' & sleep 0.5; kill $!; wait; sleep 3",
        ),
        (
            "sh:sleep 4 & sleep 0.3; kill $!; wait; sleep 2.5",
            "bash:bash -c 'trap \"kill \\$p; exit 0\" TERM; sleep 4 & p=$!; wait' & sleep 0.5;"
            " kill $!; wait; sleep 2.5",
            "sh:sh -c 'trap \"\" TERM; sleep 4' & sleep 0.5; kill $!; sleep 0.5; kill -9 $!; wait;"
            " sleep 2",
        ),
        (
            "bash:bash -c 'trap \"exit 0\" TERM; sleep 4; true' & sleep 0.5; kill $!; wait",
            "sh:sh -c 'sleep 4; true' & sleep 0.5; kill $!; wait; sleep 3",
        ),
        lacking={"c": ALIKE},
    ),
    "zombies": RulePrograms(
        (
            "c:doctor_deeds zombies",
            "c:doctor_deeds zombies_coalesced",
            "py:ps = [subprocess.Popen(['true']) for _ in range(3)]; time.sleep(7)",
        ),
        (
            "py:ps = [subprocess.Popen(['true']) for _ in range(3)]; time.sleep(2);"
            " [p.wait() for p in ps]",
            "py:signal.signal(17, signal.SIG_IGN); [os.fork() or os._exit(0) for _ in range(3)];"
            " time.sleep(5.5)",
            "py:[os.fork() or os._exit(0) for _ in range(2)]; time.sleep(5.5)",
        ),
        (
            "c:doctor_deeds zombies",
            "py:ps = [subprocess.Popen(['true']) for _ in range(3)]; time.sleep(7)",
        ),
        lacking={"sh": "it waits for all its children"},
    ),
    "address-in-use": RulePrograms(
        (
            "py:s = socket.socket(socket.AF_UNIX); s.bind('a'); s.close();"
            " socket.socket(socket.AF_UNIX).bind('a')",
            """py:
            s = socket.create_server(("127.0.0.1", 0))
            if os.fork() == 0:
                time.sleep(1.5)
                os._exit(0)
            address = s.getsockname()
            s.close()
            socket.socket().bind(address)
            """,
            "py:s = socket.create_server(('127.0.0.1', 0)); socket.socket().bind(s.getsockname())",
            # The name of an earlier run's socket; a socket that leaked into another program.
            "py:os.mknod('a', 0o140600); socket.socket(socket.AF_UNIX).bind('a')",
            """py:
            s = socket.create_server(("127.0.0.1", 0))
            s.set_inheritable(True)
            subprocess.Popen(["sleep", "1.5"], close_fds=False)
            address = s.getsockname()
            s.close()
            socket.socket().bind(address)
            """,
        ),
        (
            "py:s = socket.create_server(('127.0.0.1', 0)); a = s.getsockname(); s.close();"
            " socket.socket().bind(a)",
            "py:s = socket.socket(socket.AF_UNIX); s.bind('a'); s.close(); os.unlink('a');"
            " socket.socket(socket.AF_UNIX).bind('a')",
            "py:s = socket.create_server(('127.0.0.1', 0), reuse_port=True); t = socket.socket();"
            " t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); t.bind(s.getsockname())",
        ),
        lacking={"c": ALIKE, "sh": NO_SOCKETS},
    ),
    "left-behind": RulePrograms(
        (
            "c:doctor_deeds semaphore_left /NAME",
            "c:doctor_deeds segment_left",
            "py:os.open('/dev/shm/NAME', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)",
            "bash:set -C; echo hi >/dev/shm/NAME",
        ),
        (
            "c:doctor_deeds semaphore_removed /NAME",
            "c:doctor_deeds segment_removed",
            "py:os.open('/dev/shm/NAME', os.O_RDWR | os.O_CREAT | os.O_EXCL);"
            " os.unlink('/dev/shm/NAME')",
        ),
    ),
    "beyond-the-file": RulePrograms(
        (
            "c:doctor_deeds beyond",
            "c:doctor_deeds cut_by_child",
            "py:f = os.open('x', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 4096);"
            " m = mmap.mmap(f, 4096); os.ftruncate(f, 0); m[0]",
        ),
        (
            "c:doctor_deeds within",
            "py:f = os.open('x', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 4096);"
            " m = mmap.mmap(f, 4096); os.ftruncate(f, 0); os.ftruncate(f, 4096); m[0]",
            "py:f = os.open('x', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 4096);"
            " m = mmap.mmap(f, 4096); os.ftruncate(f, 10); m[4000]",
            "py:open('x', 'wb').write(bytes(10)); m = mmap.mmap(os.open('x', os.O_RDWR), 10); m[9]",
        ),
        lacking={"sh": NO_MEMORY},
    ),
    "mapped-empty": RulePrograms(
        (
            "c:doctor_deeds mapped_early",
            "c:doctor_deeds segment_early /NAME",
            """py:
            import ctypes
            f = os.open("x", os.O_RDWR | os.O_CREAT)
            if os.fork() == 0:
                mine = os.open("x", os.O_RDWR)
                ctypes.CDLL(None).mmap(None, 4096, 3, mmap.MAP_SHARED, mine, 0)
                os._exit(0)
            os.wait()
            os.ftruncate(f, 4096)
            """,
        ),
        (
            "c:doctor_deeds mapped_late",
            "c:doctor_deeds shared",
            """py:
            f = os.open("new", os.O_RDWR | os.O_CREAT)
            os.ftruncate(f, 4096)
            os.rename("new", "x")
            if os.fork() == 0:
                mmap.mmap(os.open("x", os.O_RDWR), 4096)
                os._exit(0)
            os.wait()
            """,
        ),
        lacking={"sh": NO_MEMORY},
    ),
    "private-mapping": RulePrograms(
        (
            "c:doctor_deeds private",
            """py:
            open("x", "wb").write(bytes(4096))
            f = os.open("x", os.O_RDWR)
            m = mmap.mmap(f, 4096, mmap.MAP_PRIVATE)
            if os.fork() == 0:
                m = mmap.mmap(os.open("x", os.O_RDWR), 4096)
                os._exit(0)
            os.wait()
            """,
            """py:
            open("x", "wb").write(bytes(4096))
            if os.fork() == 0:
                m = mmap.mmap(os.open("x", os.O_RDWR), 4096)
                time.sleep(0.5)
                os._exit(0)
            time.sleep(0.2)
            m = mmap.mmap(os.open("x", os.O_RDWR), 4096, access=mmap.ACCESS_COPY)
            m[0] = 1
            os.wait()
            """,
        ),
        (
            "c:doctor_deeds shared",
            """py:
            open("x", "wb").write(bytes(4096))
            m = mmap.mmap(os.open("x", os.O_RDONLY), 4096, mmap.MAP_PRIVATE)
            if os.fork() == 0:
                m = mmap.mmap(os.open("x", os.O_RDWR), 4096)
                os._exit(0)
            os.wait()
            """,
            "py:open('x', 'wb').write(bytes(4096));"
            " m = mmap.mmap(os.open('x', os.O_RDWR), 4096, mmap.MAP_PRIVATE); m[0] = 1",
        ),
        ALL,
        lacking={"sh": NO_MEMORY},
    ),
    "shared-pointer": RulePrograms(
        (
            "c:doctor_deeds linked",
            _LINKED,
            """py:
            import ctypes
            f = os.open("x", os.O_RDWR | os.O_CREAT)
            os.ftruncate(f, 1 << 20)
            m = mmap.mmap(f, 1 << 20)
            m[:8] = struct.pack("Q", ctypes.addressof(ctypes.c_char.from_buffer(m)) + 500000)
            code = (
                "import ctypes, mmap, os, struct; m = mmap.mmap(os.open('x', 2), 8192);"
                " ctypes.string_at(struct.unpack('Q', m[:8])[0], 8)"
            )
            subprocess.run([sys.executable, "-c", code])
            """,
        ),
        (
            "c:doctor_right linked_offset",
            "c:doctor_right linked_fixed",
            "c:doctor_right linked_fork",
        ),
        ("c:doctor_deeds linked", _LINKED),
        lacking={"sh": NO_MEMORY},
    ),
    "dropped-lock": RulePrograms(
        (
            "c:doctor_deeds lock_dropped",
            "py:f = os.open('x', os.O_RDWR | os.O_CREAT); fcntl.lockf(f, fcntl.LOCK_EX);"
            " os.close(os.open('x', os.O_RDWR))",
            "py:f = open('x', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); open('x').read();"
            " time.sleep(0.1)",
        ),
        (
            "c:doctor_deeds lock_kept",
            "py:f = os.open('x', os.O_RDWR | os.O_CREAT); fcntl.flock(f, fcntl.LOCK_EX);"
            " os.close(os.open('x', os.O_RDWR))",
            "py:f = os.open('x', os.O_RDWR | os.O_CREAT); fcntl.lockf(f, fcntl.LOCK_EX);"
            " os.close(f)",
        ),
        lacking={"sh": "flock(1) takes no locks of fcntl"},
    ),
}
"""By rule."""

RIGHT: Final = (
    # asyncio and a pool at work, and what waits for a connection that comes.
    "py:import asyncio; asyncio.run(asyncio.create_subprocess_exec('sleep', '1.5'))",
    """py:
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(time.sleep, [1, 1])
    """,
    "py:s = socket.create_server(('127.0.0.1', 0)); threading.Timer(1.5, lambda:"
    " socket.create_connection(s.getsockname())).start(); s.accept()",
)
"""Others that were once taken for wrong."""
