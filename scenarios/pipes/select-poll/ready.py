"""usage: ready.py read|select|poll|epoll REST
Three producers with a pipe each, one consumer. Which pipe has something to read?"""

import os
import select
import sys
import time

way, rest = sys.argv[1], float(sys.argv[2])

pipes = []
for number in (1, 2, 3):
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        for fd in (*pipes, read_end):
            os.close(fd)
        time.sleep((4 - number) * rest)  # the last one is the first to write
        os.write(write_end, b"hello from producer %d" % number)
        os._exit(0)
    os.close(write_end)
    pipes.append(read_end)

if way == "epoll":  # the kernel keeps the list from now on
    epoll = select.epoll()
    for fd in pipes:
        epoll.register(fd, select.EPOLLIN)


def find_ready():
    if way == "read":
        return pipes[:1]  # one after the other: nobody is asked
    if way == "select":
        return select.select(pipes, [], [])[0]
    if way == "epoll":
        return [fd for fd, _ in epoll.poll()]
    poll = select.poll()
    for fd in pipes:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll()]


while pipes:
    for fd in find_ready():
        if data := os.read(fd, 100):
            print(f"consumer: {data.decode()}", flush=True)
        else:  # the producer has ended
            pipes.remove(fd)
            os.close(fd)
for _ in range(3):
    os.wait()
