"""usage: spool.py straight|rename yes|no (is the daemon killed half-way?) PAUSE
A print spool: a job is a data file (df1) and a control file (cf1) that says what to print."""

import os
import signal
import sys
import time

how, crash, pause = sys.argv[1], sys.argv[2] == "yes", float(sys.argv[3])


def submit_job():
    with open("spool/df1", "w") as data:
        data.write("Dear Anna, ...\n")
    # With a rename it comes to its name, and so to the daemon's eyes, when it is complete.
    name = "spool/tf1" if how == "rename" else "spool/cf1"
    with open(name, "w") as control:
        print("user anna", file=control, flush=True)
        time.sleep(pause)
        print("print df1", file=control, flush=True)
    if how == "rename":
        os.rename("spool/tf1", "spool/cf1")


def find_job():
    while True:
        for name in sorted(os.listdir("spool")):
            if name.startswith("cf"):  # df and tf are no jobs yet
                return f"spool/{name}"
        time.sleep(pause)


def print_jobs(crash):
    job = find_job()
    with open(job, "rb", buffering=0) as control:
        lines = control.read(4096).decode().splitlines()  # in one call: what is there now
    print(f"daemon: {job} says {lines}", flush=True)
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "print":
            with open(f"spool/{rest}") as data:
                print(data.read(), end="", flush=True)
    if crash:
        os.kill(os.getpid(), signal.SIGKILL)
    os.unlink(job)  # only now: what is not finished is there for the next daemon
    os.unlink(job.replace("cf", "df"))


def start(function, *args):
    pid = os.fork()
    if pid == 0:
        function(*args)
        os._exit(0)
    return pid


os.mkdir("spool")
client, daemon = start(submit_job), start(print_jobs, crash)
os.waitpid(client, 0)
if os.waitpid(daemon, 0)[1]:
    print("the daemon was killed, and is started again", flush=True)
    os.waitpid(start(print_jobs, False), 0)
os.rmdir("spool")
