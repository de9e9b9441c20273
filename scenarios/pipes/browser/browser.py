"""usage: browser.py PAGES REST
A browser sends pages to two renderers, by a named pipe each. The second one hangs, and crashes."""

import fcntl
import os
import signal
import sys
import time

pages, rest = int(sys.argv[1]), float(sys.argv[2])
PAGE = b"<html>".ljust(4096)


def render(name):
    pipe = os.open(name, os.O_RDONLY)
    while page := os.read(pipe, len(PAGE)):
        if name == "pipe2":
            time.sleep(3 * rest)  # it hangs in this page,
            signal.raise_signal(signal.SIGSEGV)  # and then comes to a bug
        print(f"{name}: {len(page)} bytes rendered", flush=True)


renderers, pipes = {}, {}
for name in ("pipe1", "pipe2"):
    os.mkfifo(name)
    renderers[name] = os.fork()
    if renderers[name] == 0:
        for pipe in pipes.values():
            os.close(pipe)
        render(name)
        os._exit(0)
    pipes[name] = os.open(name, os.O_WRONLY)
    os.unlink(name)  # both have it open: the name has done its work
    os.set_blocking(pipes[name], False)  # write must never put the browser to sleep
    fcntl.fcntl(pipes[name], fcntl.F_SETPIPE_SZ, len(PAGE))

for number in range(1, pages + 1):
    for name, pipe in list(pipes.items()):
        try:
            os.write(pipe, PAGE)
        except BlockingIOError:  # EAGAIN
            print(f"browser: no room in {name} for page {number}", flush=True)
        except BrokenPipeError:  # EPIPE
            print(f"browser: nobody reads {name} any more", flush=True)
            os.close(pipes.pop(name))
    time.sleep(rest)

for pipe in pipes.values():
    os.close(pipe)
for name, pid in renderers.items():
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(f"browser: the renderer of {name} ended with {status}")
