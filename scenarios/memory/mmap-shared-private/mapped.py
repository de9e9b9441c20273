"""Process a maps a file shared, process b maps it private. They take turns: each waits for the other."""

import mmap
import os
import socket

PAGE = mmap.PAGESIZE


def mark(text):
    os.access("/.ipcviz/step/" + text, os.F_OK)  # says to ipcviz where we are


def show(who, memory):
    first, second = memory[:5].decode(), memory[PAGE : PAGE + 5].decode()
    print(f"{who}: {first!r} in page 0, {second!r} in page 1", flush=True)


def run_a(fd, turn):
    memory = mmap.mmap(fd, 2 * PAGE)  # MAP_SHARED, unless one says otherwise
    turn.recv(1)
    memory[:5] = b"first"
    mark("a has stored")
    turn.send(b".")
    turn.recv(1)
    memory[:5] = b"again"
    memory[PAGE : PAGE + 5] = b"again"
    mark("a has stored again")
    turn.send(b".")
    turn.recv(1)
    # A shared store is in the file at once, for all who read it ...
    print(f"the file: {os.pread(fd, 5, 0).decode()!r} in page 0", flush=True)
    memory.flush()  # msync: ... and on the disk now, if it was not before
    memory.close()


def run_b(fd, turn):
    memory = mmap.mmap(fd, 2 * PAGE, access=mmap.ACCESS_COPY)  # MAP_PRIVATE
    show("b before", memory)
    mark("b has read")
    turn.send(b".")
    turn.recv(1)
    show("b after a's store", memory)
    mark("b sees it")
    memory[:5] = b"of b "
    mark("b has stored")
    turn.send(b".")
    turn.recv(1)
    show("b after a's next", memory)
    mark("b sees its own")
    memory.close()  # the copy goes with it: nobody writes it to the file
    turn.send(b".")


fd = os.open("data", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
os.ftruncate(fd, 2 * PAGE)
os.pwrite(fd, b"empty", 0)
os.pwrite(fd, b"empty", PAGE)
os.unlink("data")  # the name goes at once, the file with the last who has it
one, other = socket.socketpair()
if os.fork() == 0:
    run_b(fd, other)
    os._exit(0)
run_a(fd, one)
os.wait()
