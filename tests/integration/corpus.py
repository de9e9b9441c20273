"""The corpus: command lines whose behaviour must be the same alone and under observation.

Every entry's output is deterministic: where processes race, it is sorted or counted. `{NAME}`
stands for the compiled fixture program `tests/programs/NAME.c`, `{python}` for the interpreter that
runs the tests.
"""

# ruff: noqa: E501

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One command line.

    Attributes:
        name: Its name in the test report.
        script: What to run: a script for `shell`, or one program with its arguments if `shell` is
            empty.
        shell: `sh` or `bash`; empty to run without a shell.
        stdin: What it can read; None is /dev/null.
        needs: Programs that must be installed.
        pty: Also run on a terminal.
        full: Also run with every call traced.
        seconds: How long it may take under observation at most.
    """

    name: str
    script: str
    shell: str = "sh"
    stdin: bytes | None = None
    needs: tuple[str, ...] = ()
    pty: bool = False
    full: bool = False
    seconds: float = 30.0

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the fixture programs that it uses."""
        return tuple(sorted(set(re.findall(r"\{([a-z][a-z0-9_]*)\}", self.script)) - {"python"}))

    def argv(self, paths: dict[str, str]) -> list[str]:
        """The command, with `{...}` replaced from `paths`."""
        text = re.sub(r"\{([a-z][a-z0-9_]*)\}", lambda m: paths[m[1]], self.script)
        return [self.shell, "-c", text] if self.shell else text.split()


def python(code: str) -> str:
    """A script that runs `code` in the tests' interpreter."""
    return "exec {python} -I - <<'END'\n" + code.strip("\n") + "\nEND\n"


MANY_LINES = b"".join(b"%d line of text number %d\n" % (i * 7919 % 10007, i) for i in range(10007))

SHELL = (
    Entry("pipeline", "seq 1 2000 | grep 7 | sort -rn | head -5 | tr 0-9 a-j", pty=True, full=True),
    Entry("yes_head", "yes | head -1; echo done", pty=True, full=True),
    Entry("yes_head_status", "yes | head -1; echo ${PIPESTATUS[@]}", "bash", pty=True, full=True),
    Entry("pipefail", "set -o pipefail; yes | head -3; echo $?; false | true; echo $?; exit 77", "bash"),
    Entry("status_of_a_signal", "sh -c 'kill -9 $$'; echo $?; sh -c 'kill -TERM $$'; echo $?; kill -INT $$"),
    Entry("killed_by_term", "kill -TERM $$"),
    Entry("killed_by_kill", "kill -KILL $$", full=True),
    Entry("killed_by_pipe", "kill -PIPE $$"),
    Entry(
        "terminal_job_control",
        "exec 2>/dev/null; set -m; sleep 0.05 | cat; (exit 3); echo $?; [ -t 0 ] || exit 0; cat & p=$!; "
        'for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; [ -n "$(jobs -s)" ] && break; done; jobs -s | grep -c cat; '
        "kill -KILL $p; while kill -0 $p; do sleep 0.01; done; { sleep 0.1; echo late; } & fg %% >/dev/null; echo $?",
        "bash",
        pty=True,
    ),
    Entry("job_control", "set -m; sleep 30 & kill -STOP %1; kill -CONT %1; kill %1; wait %1; echo $?", "bash"),
    Entry(
        "job_stop_and_resume",
        "set -m; (kill -STOP $BASHPID; echo resumed; exit 5) & "
        "until [ \"$(jobs -s)\" ]; do sleep 0.01; done; kill -CONT %1; wait %1; echo $?",
        "bash",
    ),
    Entry("background_wait", "for i in 3 1 2; do (exit $i) & done; wait; (exit 9) & wait $!; echo $?"),
    Entry("wait_n", "(exit 4) & wait -n; echo $?; sleep 0.05 & wait -n; echo $?", "bash"),
    Entry("here_document", "cat <<END | tr a-z A-Z\nhello\nworld $((1 + 2))\nEND\n", pty=True),
    Entry("here_string_big", 'x=$(seq 1 30000); wc -c <<<"$x"', "bash"),
    Entry("process_substitution", "diff <(seq 1 20) <(seq 1 2 20); echo $?", "bash", full=True),
    Entry("tee_into_substitution", "seq 1 5000 | tee >(wc -l >lines) >(tail -1 >last) | md5sum; "
          "until [ -s lines ] && [ -s last ]; do sleep 0.01; done; cat lines last", "bash"),
    Entry("command_substitution", "echo $(echo $(echo inner; exit 3); echo $?)", full=True),
    Entry("big_command_substitution", 'x=$(head -c 300000 /dev/zero | tr "\\0" x); echo ${#x}', "bash"),
    Entry("coprocess", "coproc bc -l; echo 6*7 >&${COPROC[1]}; read -u ${COPROC[0]} x; echo $x; "
          "exec {COPROC[1]}>&-; wait $COPROC_PID; echo $?", "bash", needs=("bc",)),
    Entry("coprocess_cat", "coproc cat; echo one >&${COPROC[1]}; read -u ${COPROC[0]} x; echo got $x; kill $COPROC_PID; "
          "wait $COPROC_PID; echo $?", "bash"),
    Entry("timeout_kills", "timeout 0.2 sleep 20; echo $?; timeout -s KILL 0.2 sleep 20; echo $?; timeout 5 true; echo $?"),
    Entry("killed_while_forking", "exec 2>/dev/null; for i in 1 2 3 4 5 6 7 8; do timeout -s KILL 0.0$i sh -c 'while :; do (:); done'; echo $?; "
          "done", "bash"),
    Entry("xargs_parallel", "seq 1 30 | xargs -P 4 -n 3 sh -c 'echo $(($1 + $2 + $3))' x | sort -n", full=True),
    Entry("find_xargs", "mkdir -p a/b c; touch a/1 a/b/2 c/3; find . -type f -print0 | xargs -0 ls | sort"),
    Entry("make_jobs", "make -s -j2 -f - all <<'END' | sort\nall: a b c d\na b c d:\n\t@echo made $@ && $(MAKE) -s -f /dev/null "
          "--version >/dev/null\nfail:\n\tfalse\nEND\n", needs=("make",)),
    Entry("make_fails", "printf 'all: x y\\nx:\\n\\t@exit 3\\ny:\\n\\t@true\\n' >m; make -j2 -f m 2>/dev/null; echo $?", needs=("make",)),
    Entry("sort_big", "sort -n -S 2M --parallel=2 | md5sum", stdin=MANY_LINES * 6),
    Entry("stdin_through", "cat | wc -c", stdin=MANY_LINES),
    Entry("stdin_shared", "head -1; read -r x; echo \"$x\"; cat", stdin=b"a\nb\nc\n"),
    Entry("xz_threads", "head -c 3000000 /dev/zero | xz -T2 -0 | xz -dc | md5sum", needs=("xz",)),
    Entry("tar_gzip", "mkdir d; seq 1 40000 >d/f; tar -cf - d | gzip -1 | gzip -dc | tar -tf -; tar -czf d.tgz d; tar -xzOf d.tgz | md5sum; rm d.tgz"),
    Entry("dd_small_blocks", "dd if=/dev/zero bs=512 count=4000 2>/dev/null | md5sum"),
    Entry("dd_to_head", "dd if=/dev/zero bs=64k 2>/dev/null | head -c 1000000 | wc -c"),
    Entry("cat_gzip", "seq 1 200000 >in; cat in | gzip -c9 >out.gz; gzip -dc out.gz | md5sum; rm out.gz", pty=True),
    Entry("mkfifo", "mkfifo f; (echo through; echo twice) >f & cat f; wait; rm f", full=True),
    Entry("fifo_both_ways", "mkfifo a b; (while read x; do echo \"<$x>\"; done <a >b) & exec 3>a 4<b; echo 1 >&3; read y <&4; "
          "echo $y; exec 3>&-; cat <&4; wait; rm a b"),
    Entry("fifo_left_behind", "mkfifo stays; ls -l stays | cut -c1"),
    Entry("trap", "trap 'echo usr1' USR1; trap 'echo bye' EXIT; kill -USR1 $$; (trap - EXIT; exit 2); echo $?; exit 6", pty=True),
    Entry("trap_while_waiting", "trap 'echo caught' TERM; sleep 30 & s=$!; (sleep 0.1; kill -TERM $$) & wait $s; echo $?; kill $s; "
          "wait $s; echo $?", "bash"),
    Entry("ignored_is_inherited", "trap '' TERM; sh -c 'kill -TERM $$; echo alive'", full=True),
    Entry("kill_the_group", "trap '' TERM; kill -TERM 0; echo survived"),
    Entry("killed_with_the_group", "sleep 30 & kill -HUP 0; sleep 30"),
    Entry("flock", "n=0; echo 0 >n; for i in 1 2 3 4; do (flock 9; read n <n; sleep 0.01; echo $((n + 1)) >n) 9>lock & done; wait; "
          "cat n", needs=("flock",)),
    Entry("descriptors", "exec 5>five 6<&0; echo x >&5; ls -l /proc/self/fd | grep -c five; exec 5>&-; cat five; "
          "ls /proc/self/fd | wc -l", full=True),
    Entry("limits", "ulimit -n 64; ulimit -c 0; ulimit -n; ulimit -f 8; head -c 100000 /dev/zero >big; echo $?; wc -c <big"),
    Entry("nice", "nice -n 5 nice; nice"),
    Entry("empty_environment", "env -i A=1 /usr/bin/env"),
    Entry("environment", "env | grep -v -e ^_= -e ^IPCVIZ_TEST | sort", full=True),
    Entry("proc_of_itself", "sh -c 'echo $PPID' | grep -q . && ls /proc/self/fd; cat /proc/self/comm; umask; pwd | wc -l"),
    Entry("umask", "umask 027; touch f; ls -l f | cut -c1-10"),
    Entry("stderr_apart", "echo out; echo err >&2; ls nosuch", full=True),
    Entry("binary_output", "head -c 65536 /dev/zero | tr '\\0' '\\377'; printf '\\033[31m\\000'"),
    Entry("stdout_closed", "exec >&-; echo x; echo $? >&2", full=True),
    Entry("exec_chain", "exec sh -c 'exec sh -c \"exec env printf %s end\"'", full=True),
    Entry("deep_tree", "f() { [ $1 = 0 ] && exit 3; (f $(($1 - 1))); exit $?; }; f 30"),
    Entry("orphan_holds_stdout", "(sleep 0.3; echo late) & echo early"),
    Entry("setsid_daemon", "setsid sh -c 'sleep 0.2; echo made >by-daemon' >/dev/null 2>&1 </dev/null & exit 3"),
    Entry("nohup", "nohup sh -c 'kill -HUP $$; echo alive' 2>/dev/null"),
    Entry("not_found_inside", "nosuchprogram 2>/dev/null; echo $?; ./nosuch 2>/dev/null; echo $?; /tmp 2>/dev/null; echo $?"),
    Entry("shebang", "printf '#!/bin/sh\\necho script $1\\nexit 8\\n' >s; chmod +x s; ./s arg"),
    Entry("perl_fork", "perl -e 'my @p; for my $i (1..5) { pipe(my $r, my $w); if (!fork) { close $r; print $w $i*$i; exit $i } close $w; "
          "push @p, $r } print join(\",\", map { scalar <$_> } @p), \"\\n\"; my $s = 0; while (wait > 0) { $s += $? >> 8 } print \"$s\\n\"'",
          needs=("perl",)),
    Entry("perl_signals", "perl -e '$SIG{CHLD} = sub { $n++ }; $SIG{USR1} = sub { print \"usr1\\n\" }; kill USR1 => $$; "
          "$p = open(my $h, \"-|\", \"echo from child\"); print <$h>; close $h; print \"$?\\n\"'", needs=("perl",)),
    Entry("awk_pipes", "seq 1 100 | awk '{ print $1 % 7 | \"sort | uniq -c\" } END { close(\"sort | uniq -c\"); "
          "\"echo sub\" | getline x; print x }'", pty=True),
    Entry("many_short", "i=0; while [ $i -lt 60 ]; do /bin/true; i=$((i + 1)); done; echo $i"),
    Entry("names_that_are_no_text", python("""
import os, subprocess
for name in (b"\\xff\\xfe", b"a\\nb", b"\\x1b[31m", b"[b]"):
    with open(name, "w") as file: file.write("#!/bin/sh\\nexec cat\\n")
    os.chmod(name, 0o755); print(subprocess.run([b"./" + name], input=b"x", capture_output=True).stdout)
    os.mkfifo(name + b".f"); p = subprocess.Popen([b"sh", b"-c", b'echo hi > "$0"', name + b".f"])
    with open(name + b".f") as file: print(file.read(), p.wait())
    os.unlink(name); os.unlink(name + b".f")
"""), full=True),
    Entry("program_is_deleted", "cp /bin/cat c; mkfifo f; ./c f & until [ \"$(readlink /proc/$!/exe)\" = $PWD/c ]; do :; done; rm c; "
          "(echo late; ls -l /proc/$!/exe | grep -o deleted) >f; wait; rm f", "bash"),
    Entry("linker_by_name", "l=/lib64/ld-linux-x86-64.so.2; [ -x $l ] || exit 0; $l /bin/echo hi; LD_BIND_NOW=1 $l /bin/echo now; "
          "LD_DEBUG=all /bin/true 2>&1 | grep -c 'transferring control'"),
    Entry("busybox_shell", "busybox sh -c 'busybox seq 500 | busybox grep 7 | busybox wc -l; busybox yes | busybox head -n 1; "
          "trap \"echo usr\" USR1; kill -USR1 $$; (exit 3); echo $?; busybox sleep 0.05 & wait; exit 6'; echo $?", needs=("busybox",)),
    Entry("terminal_or_not", "for i in 0 1 2; do [ -t $i ] && echo $i terminal || echo $i no terminal; done"),
)  # fmt: skip

PYTHON = (
    Entry("python_pipe", python("""
import os
r, w = os.pipe()
if os.fork() == 0:
    os.close(r)
    for i in range(200): os.write(w, b"%d\\n" % i)
    os._exit(3)
os.close(w)
data = b""
while chunk := os.read(r, 100): data += chunk
print(len(data), os.waitstatus_to_exitcode(os.wait()[1]))
"""), full=True),
    Entry("python_pool", python("""
import multiprocessing as mp
def f(x): return x * x
if __name__ == "__main__":
    with mp.get_context("fork").Pool(2) as pool: print(sum(pool.map(f, range(200))))
"""), seconds=60),
    Entry("python_queue", python("""
import multiprocessing as mp
ctx = mp.get_context("fork")
def f(q, n):
    for i in range(n): q.put((n, i))
q = ctx.Queue()
ps = [ctx.Process(target=f, args=(q, n)) for n in (50, 60, 70)]
for p in ps: p.start()
print(sorted(q.get() for _ in range(180))[-1])
for p in ps: p.join()
print([p.exitcode for p in ps])
"""), seconds=60),
    Entry("python_mp_objects", python("""
import multiprocessing as mp
ctx = mp.get_context("fork")
def f(c, sem, value, lock, event, barrier):
    event.wait(); barrier.wait()
    for _ in range(50):
        with lock: value.value += 1
    sem.release(); c.send(value.value > 0); c.close()
a, b = ctx.Pipe()
sem, value, lock, event, barrier = ctx.Semaphore(0), ctx.Value("i", 0), ctx.Lock(), ctx.Event(), ctx.Barrier(3)
ps = [ctx.Process(target=f, args=(b, sem, value, lock, event, barrier)) for _ in range(3)]
for p in ps: p.start()
event.set()
for p in ps: sem.acquire()
print([a.recv() for _ in ps], value.value)
for p in ps: p.join()
"""), seconds=60),
    Entry("python_threads", python("""
import threading, queue
q, done = queue.Queue(5), []
def work():
    while (x := q.get()) is not None: done.append(x * 2)
ts = [threading.Thread(target=work) for _ in range(4)]
for t in ts: t.start()
for i in range(500): q.put(i)
for t in ts: q.put(None)
for t in ts: t.join()
print(sum(done))
"""), full=True),
    Entry("python_subprocess", python("""
import subprocess as s
print(s.run("echo a; echo b >&2; exit 4", shell=True, capture_output=True))
p = s.Popen(["cat"], stdin=s.PIPE, stdout=s.PIPE)
print(len(p.communicate(b"x" * 500000)[0]), p.returncode)
try: s.run(["sleep", "20"], timeout=0.2)
except s.TimeoutExpired: print("timed out")
p = s.Popen(["sleep", "20"]); p.terminate(); print(p.wait())
try: s.run(["/nonexistent"])
except FileNotFoundError as e: print(e.errno)
"""), full=True),
    Entry("python_sockets", python("""
import socket, threading
srv = socket.create_server(("127.0.0.1", 0))
def serve():
    c, _ = srv.accept()
    while d := c.recv(1000): c.sendall(d.upper())
    c.close()
t = threading.Thread(target=serve); t.start()
c = socket.create_connection(srv.getsockname())
c.sendall(b"hello" * 1000); c.shutdown(socket.SHUT_WR)
got = b""
while d := c.recv(4096): got += d
print(len(got), got[:5]); t.join()
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
a.send(b"one"); a.send(b""); print(b.recv(9), b.recv(9))
""")),
    Entry("python_select", python("""
import os, select, signal, time
signal.signal(signal.SIGALRM, lambda *a: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
r, w = os.pipe()
print(select.select([r], [], [], 0.2)[0])
ep = select.epoll(); ep.register(r, select.EPOLLIN); print(ep.poll(0.05))
os.write(w, b"x"); print(ep.poll(1) == [(r, 1)])
signal.set_wakeup_fd(-1)
time.sleep(0.05)
"""), full=True),
    Entry("python_interrupt", python("""
import os, signal, time, threading
threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try: time.sleep(3)
except KeyboardInterrupt: print("interrupted")
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGINT)
""")),
    Entry("python_polls_while_children_end", python("""
import select, subprocess, threading, time
stop = threading.Event()
def spawn():
    while not stop.wait(0.1): subprocess.run(["true"])
spawner = threading.Thread(target=spawn); spawner.start()
poll, began = select.epoll(), time.monotonic()
for _ in range(3): poll.poll(0.4)
took = time.monotonic() - began
stop.set(); spawner.join()
print("in time" if 1.2 <= took < 1.8 else took)
"""), full=True),
    Entry("python_shared_memory", python("""
import mmap, os
m = mmap.mmap(-1, 4096)
if os.fork() == 0:
    m[:5] = b"hello"; os._exit(0)
os.wait(); print(m[:5])
fd = os.memfd_create("x"); os.ftruncate(fd, 100); print(os.fstat(fd).st_size)
""")),
    Entry("python_locks", python("""
import fcntl, os, time
fd = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600)
fcntl.lockf(fd, fcntl.LOCK_EX)
if os.fork() == 0:
    try: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError: os.write(1, b"held\\n")
    fcntl.lockf(fd, fcntl.LOCK_EX); os.write(1, b"mine\\n"); os._exit(0)
time.sleep(0.2); fcntl.lockf(fd, fcntl.LOCK_UN); os.wait()
""")),
)  # fmt: skip

PROGRAMS = tuple(
    Entry(name.replace(" ", "_"), "{" + name.replace(" ", "} ", 1) if " " in name else "{" + name + "}", "", full=full)
    for name, full in (
        ("threads_pipe", True),
        ("exec_thread", True),
        ("vfork_exec", True),
        ("raw_clone", True),
        ("clone_untraced", True),
        ("daemon", True),
        ("signals_exact", True),
        ("signal_leader", True),
        ("signal_storm", True),
        ("sigchld_write", True),
        ("ignored_eintr", True),
        ("cut_calls limits", True),
        ("cut_calls limits busy", False),
        ("cut_calls waits", True),
        ("cut_calls parts", True),
        ("cut_calls parts busy", False),
        ("cut_calls handled", True),
        ("spliced", True),
        ("given_late", True),
        ("fuse_memory", True),
        ("sem_static", False),
        ("sem_own", True),
        ("uring", True),
        ("sem_shared", True),
        ("sem_trap", False),
        ("sem_waits", True),
        ("own_int3", False),
        ("self_check", True),
        ("sigpipe", True),
        ("altstack_nested", True),
        ("jumps", True),
        ("alarm_pause", True),
        ("group_stop", True),
        ("spawn", True),
        ("close_range", True),
        ("nonblock", False),
        ("sysv", True),
        ("posix_objects", True),
        ("scm_rights", True),
        ("timers", True),
        ("spool", True),
        ("many_children 100", False),
        ("leader_exits", True),
        ("wait_kinds", True),
        ("own_seccomp", True),
        ("robust_mutex", False),
        ("thread_fork", True),
        ("fatal segv", False),
        ("fatal ill", False),
        ("fatal abort", False),
        ("fatal 31", False),
    )
)  # fmt: skip

COMMANDS = SHELL + PYTHON + PROGRAMS
