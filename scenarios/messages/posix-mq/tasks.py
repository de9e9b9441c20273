"""usage: tasks.py NAME plain|notify CAPACITY REST
One process posts tasks into a message queue, another one takes them, the most urgent first."""

import os
import signal
import sys
import time

import posix_ipc

LONGEST = 32
TASKS = [("floor", 1), ("fire", 9), ("mail", 5), ("lunch", 1), ("home", 0)]
name, how, capacity, rest = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])


def show_file(queue):
    print(os.read(queue.mqd, 100).decode().strip(), flush=True)  # on Linux a queue is a file


def post_tasks():
    queue = posix_ipc.MessageQueue(name, read=False)  # found by its name: there is one already
    for task, priority in TASKS:
        queue.send(task, priority=priority)  # sleeps while the queue is full


def take_tasks(queue):
    task = b""
    while task != b"home":  # the least urgent: behind all others
        task, priority = queue.receive()  # sleeps while the queue is empty
        print(f"priority {priority}: {task.decode()}", flush=True)


queue = posix_ipc.MessageQueue(
    name,
    posix_ipc.O_CREX,
    mode=0o600,
    max_messages=capacity,
    max_message_size=LONGEST,
    write=False,
)
try:
    if how == "notify":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])  # it is waited for below
        queue.request_notification(signal.SIGUSR1)  # once, when a message comes into it empty
        show_file(queue)
    if os.fork() == 0:
        queue.close()
        post_tasks()
        os._exit(0)
    if how == "notify":
        signal.sigwait([signal.SIGUSR1])
    else:
        time.sleep(rest)  # meanwhile they pile up
        show_file(queue)
    take_tasks(queue)
    os.wait()
finally:
    queue.unlink()  # else the name is there until the next boot, with what is in the queue
