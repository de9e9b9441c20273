"""More of the corpus: every means of communication that Linux offers, each used once, with its
results counted.
"""

# ruff: noqa: E501

from __future__ import annotations

from tests.integration.corpus import Entry, python

MEANS = (
    Entry("unix_datagram", python("""
import os, socket
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
if os.fork() == 0:
    for i in range(5): b.send(b"x" * (i + 1))
    b.send(b""); os._exit(0)
sizes = []
while (data := a.recv(3)): sizes.append(len(data))
os.wait(); print(sizes)
"""), full=True),
    Entry("unix_seqpacket", python("""
import os, socket
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if os.fork() == 0:
    a.close(); [b.send(b"%d" % i) for i in range(20)]; os._exit(0)
b.close(); got = []
while (data := a.recv(100)): got.append(int(data))
os.wait(); print(got)
"""), full=True),
    Entry("unix_abstract", python("""
import os, socket
server = socket.socket(socket.AF_UNIX); server.bind(b"\\0corpus-%d" % os.getpid()); server.listen(1)
if os.fork() == 0:
    c = socket.socket(socket.AF_UNIX); c.connect(server.getsockname()); c.sendall(b"hi"); print(c.recv(9)); os._exit(0)
one, _ = server.accept(); one.sendall(one.recv(9).upper()); os.wait()
try: socket.socket(socket.AF_UNIX).connect(b"\\0nobody-%d" % os.getpid())
except ConnectionRefusedError: print("refused")
"""), full=True),
    Entry("sockets_odd", python("""
import errno, os, socket, struct
def pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.socket(); one.setblocking(False); print(errno.errorcode[one.connect_ex(server.getsockname())])
        other, _ = server.accept(); one.setblocking(True); print(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)); return one, other
def tried(call, *args):
    try: print(call(*args))
    except OSError as error: print(errno.errorcode[error.errno])
a, b = pair(); a.send(b"unread"); b.recv(1, socket.MSG_PEEK); b.close(); tried(a.recv, 1); tried(a.send, b"x")
a, b = pair(); a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); a.close(); tried(b.recv, 1)
a, b = pair(); a.send(b"!", socket.MSG_OOB); print(b.recv(1, socket.MSG_OOB)); a.shutdown(socket.SHUT_WR); tried(b.recv, 1); tried(a.send, b"x")
a, b = socket.socketpair(); r, w = os.pipe(); socket.send_fds(a, [b"1"], [w]); socket.send_fds(a, [b"2"], [r, w]); os.close(w)
print(b.recvmsg(1, 100, socket.MSG_PEEK)[0]); b.recv(1); print(len(socket.recv_fds(b, 1, 1)[1])); b.close(); tried(a.send, b"x")
u = socket.socket(type=socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0)); u.connect(u.getsockname()); print(u.send(b"to itself"), u.recv(2), u.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
"""), full=True),
    Entry("unix_stale_path", python("""
import socket
for attempt in range(2):
    s = socket.socket(socket.AF_UNIX)
    try: s.bind("stale"); print("bound")
    except OSError as e: print(e.strerror)
    s.close()
"""), full=True),
    Entry("unix_credentials", python("""
import os, socket, struct
a, b = socket.socketpair(); b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1); pid = os.fork()
if pid == 0: a.send(b"me"); os._exit(0)
data, extra, _, _ = b.recvmsg(9, socket.CMSG_SPACE(12)); who = struct.unpack("3i", extra[0][2])
os.wait(); print(data, who[0] == pid, who[1] == os.getuid())
"""), full=True),
    Entry("unix_backlog_and_hangup", python("""
import os, select, socket
a, b = socket.socketpair(); a.sendall(b"rest"); a.close()
p = select.poll(); p.register(b, select.POLLIN | select.POLLRDHUP); print(p.poll(1000)[0][1]); print(b.recv(9), b.recv(9))
try: b.send(b"x"); b.send(b"x")
except BrokenPipeError: print("broken")
"""), full=True),
    Entry("tcp_echo", python("""
import os, socket
server = socket.create_server(("127.0.0.1", 0)); port = server.getsockname()[1]
if os.fork() == 0:
    c = socket.create_connection(("127.0.0.1", port)); c.sendall(b"y" * 300000); c.shutdown(socket.SHUT_WR)
    n = 0
    while (data := c.recv(65536)): n += len(data)
    print("client", n, flush=True); os._exit(0)
one, _ = server.accept(); n = 0
while (data := one.recv(65536)): n += len(data)
one.sendall(b"z" * 1000); one.close(); os.wait(); print("server", n)
"""), full=True),
    Entry("tcp_reset", python("""
import os, socket, struct
server = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(server.getsockname()); one, _ = server.accept()
one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); one.close()
try: print(c.recv(1))
except ConnectionResetError: print("reset")
"""), full=True),
    Entry("udp", python("""
import os, socket
s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
if os.fork() == 0:
    c = socket.socket(type=socket.SOCK_DGRAM); [c.sendto(b"%d" % i, s.getsockname()) for i in range(10)]; os._exit(0)
print(sorted(int(s.recv(9)) for _ in range(10))); os.wait()
"""), full=True),
    Entry("eventfd", python("""
import os
e = os.eventfd(0); sem = os.eventfd(3, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
if os.fork() == 0:
    [os.eventfd_write(e, 5) for _ in range(4)]; os._exit(0)
os.wait(); print(os.eventfd_read(e)); n = 0
try:
    while True: n += os.eventfd_read(sem)
except BlockingIOError: print(n)
"""), full=True),
    Entry("epoll_edges", python("""
import os, select
r, w = os.pipe(); e = select.epoll(); e.register(r, select.EPOLLIN | select.EPOLLET)
os.write(w, b"ab"); print(len(e.poll(1)), len(e.poll(0))); os.write(w, b"c"); print(len(e.poll(1))); os.close(w); print(e.poll(1)[0][1])
"""), full=True),
    Entry("pidfd", python("""
import os, select, signal
pid = os.fork()
if pid == 0: signal.pause()
fd = os.pidfd_open(pid); signal.pidfd_send_signal(fd, signal.SIGTERM); select.select([fd], [], []); print(os.waitid(os.P_PIDFD, fd, os.WEXITED).si_status)
"""), full=True),
    Entry("memfd", python("""
import mmap, os
fd = os.memfd_create("shared"); os.ftruncate(fd, 8192); m = mmap.mmap(fd, 8192)
if os.fork() == 0: m[4096:4101] = b"child"; os._exit(0)
os.wait(); print(m[4096:4101], os.pread(fd, 5, 4096))
"""), full=True),
    Entry("mmap_private", python("""
import mmap, os
open("f", "wb").write(b"a" * 8192); fd = os.open("f", os.O_RDWR)
private, shared = mmap.mmap(fd, 8192, flags=mmap.MAP_PRIVATE), mmap.mmap(fd, 8192)
if os.fork() == 0: private[0:1] = b"P"; shared[4096:4097] = b"S"; shared.flush(); os._exit(0)
os.wait(); print(private[0:1], private[4096:4097], shared[0:1], shared[4096:4097])
"""), full=True),
    Entry("sigbus", "{python} -I -c 'import mmap,os; fd=os.open(\"short\",os.O_RDWR|os.O_CREAT); os.ftruncate(fd,4096); m=mmap.mmap(fd,4096); os.ftruncate(fd,0); m[0]'; echo $?"),
    Entry("splice", python("""
import os
data = os.urandom(100000); open("in", "wb").write(data); src = os.open("in", os.O_RDONLY); dst = os.open("out", os.O_WRONLY | os.O_CREAT)
r, w = os.pipe(); moved = 0
while (n := os.splice(src, w, 30000)):
    while n: k = os.splice(r, dst, n); n -= k; moved += k
print(moved, open("out", "rb").read() == data); os.remove("out"); os.remove("in")
"""), full=True),
    Entry("sendfile", python("""
import os, socket
open("in", "wb").write(b"q" * 50000); a, b = socket.socketpair(); src = os.open("in", os.O_RDONLY)
if os.fork() == 0:
    a.close(); n = 0
    while (d := b.recv(4096)): n += len(d)
    print(n, flush=True); os._exit(0)
b.close(); sent = 0
while sent < 50000: sent += os.sendfile(a.fileno(), src, sent, 50000 - sent)
a.close(); os.wait(); os.remove("in")
"""), full=True),
    Entry("packet_pipe", python("""
import os
r, w = os.pipe2(os.O_DIRECT); [os.write(w, b"x" * n) for n in (1, 10, 100)]; print([len(os.read(r, 4096)) for _ in range(3)])
"""), full=True),
    Entry("pipe_capacity", python("""
import errno, fcntl, os
r, w = os.pipe(); os.set_blocking(w, False); print(fcntl.fcntl(w, 1031, 4096), fcntl.fcntl(w, 1032)); n = 0
try:
    while True: n += os.write(w, b"x" * 10)
except BlockingIOError: print(n)
print(os.write(w, b"") if False else len(os.read(r, 100)))
"""), full=True),
    Entry("fifo_nonblock", python("""
import os
os.mkfifo("f")
try: os.open("f", os.O_WRONLY | os.O_NONBLOCK)
except OSError as e: print(e.strerror)
r = os.open("f", os.O_RDONLY | os.O_NONBLOCK); print(os.read(r, 9)); w = os.open("f", os.O_WRONLY)
try: os.read(r, 9)
except BlockingIOError: print("again")
os.remove("f")
"""), full=True),
    Entry("sigwait_and_timers", python("""
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGUSR1]); signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
print([signal.sigwait([signal.SIGALRM]) for _ in range(3)], signal.sigtimedwait([signal.SIGUSR1], 0.05))
"""), full=True),
    Entry("eintr_counts", python("""
import os, select, signal, time
hits = []
def hit(*_): hits.append(1); len(hits) < 3 and signal.setitimer(signal.ITIMER_REAL, 0.05)
signal.signal(signal.SIGALRM, hit); signal.setitimer(signal.ITIMER_REAL, 0.05)
r, w = os.pipe(); t = time.monotonic()
while len(hits) < 3: select.select([r], [], [], 0.5)
print(len(hits), 0.1 < time.monotonic() - t < 3)
"""), full=True),
    Entry("wakeup_fd", python("""
import os, signal, socket
a, b = socket.socketpair(); a.setblocking(False); signal.set_wakeup_fd(a.fileno()); signal.signal(signal.SIGUSR1, lambda *_: None)
for _ in range(5): os.kill(os.getpid(), signal.SIGUSR1)
print(list(b.recv(99)))
"""), full=True),
    Entry("locks_lost_by_close", python("""
import fcntl, os
fd = os.open("l", os.O_RDWR | os.O_CREAT); fcntl.lockf(fd, fcntl.LOCK_EX); os.close(os.open("l", os.O_RDONLY))
def other():
    if (pid := os.fork()) == 0:
        try: fcntl.lockf(os.open("l", os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB); os._exit(0)
        except BlockingIOError: os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print("lost" if other() == 0 else "kept"); fcntl.flock(fd, fcntl.LOCK_EX); os.remove("l")
"""), full=True),
    Entry("flock_in_a_child", "exec 9>l; flock 9; sh -c 'exec 9>&-; flock -n l echo got || echo held'; flock -u 9; flock -n l echo free; rm l", needs=("flock",)),
    Entry("exclusive_file", "for i in 1 2 3 4; do (set -C; (echo $i > lock) 2>/dev/null && echo won) & done | wc -l; wait; rm lock"),
    Entry("spool_by_rename", "for i in 1 2 3; do echo job $i > tmp.$i; mv tmp.$i job.$i; done; cat job.*; rm job.*"),
    Entry("system_v_by_command", "q=$(ipcmk -Q | tr -dc 0-9); s=$(ipcmk -S 3 | tr -dc 0-9); m=$(ipcmk -M 4096 | tr -dc 0-9); ipcs -q -i $q | grep -c messages; ipcrm -q $q -s $s -m $m; echo $?", needs=("ipcmk", "ipcrm")),
    Entry("zombies_counted", python("""
import os, signal, time
deaths = []; signal.signal(signal.SIGCHLD, lambda *_: deaths.append(1)); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
pids = [os.fork() or os._exit(3) for _ in range(6)]
for pid in pids: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD]); print(len(deaths), sum(os.waitpid(p, 0)[1] >> 8 for p in pids))
"""), full=True),
    Entry("stopped_and_continued", python("""
import os, signal
r, w = os.pipe(); pid = os.fork()
if pid == 0: os.kill(os.getpid(), signal.SIGSTOP); os._exit(len(os.read(r, 9)))
print(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])); os.kill(pid, signal.SIGCONT)
print(os.WIFCONTINUED(os.waitpid(pid, os.WCONTINUED)[1])); os.write(w, b"seven77"); print(os.waitpid(pid, 0)[1] >> 8)
"""), full=True),
)  # fmt: skip
