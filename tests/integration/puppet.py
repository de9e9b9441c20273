"""A process that does what a test tells it to, so that it can be looked at from outside."""

import ast
import os
import subprocess
import sys
import time

PROGRAM = """
import ast, ctypes, fcntl, mmap, os, signal, socket, struct, sys, threading
names = globals()
for line in sys.stdin:
    code = ast.literal_eval(line)
    try:
        try:
            answer = eval(code, names)
            if type(answer) not in (bool, int, str, bytes, tuple, list, dict):
                answer = None
        except SyntaxError:
            exec(code, names)
            answer = None
    except BaseException as error:
        answer = {"error": repr(error)}
    print(repr(answer), flush=True)
"""


class Puppet:
    """Runs Python statements in a process of its own, one at a time."""

    def __init__(self, **popen):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **popen,
        )
        self.pid = self.process.pid

    def do(self, code):
        """Run a statement, or evaluate an expression: a number, text, or a tuple of them, else
        None.
        """
        self.process.stdin.write(repr(code) + "\n")
        self.process.stdin.flush()
        answer = ast.literal_eval(self.process.stdout.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def start(self, code):
        """Run an expression in a thread of the puppet's that may block; gives the thread's id."""
        return self.do(
            "import time\n"
            f"thread = threading.Thread(target=lambda: {code}, daemon=True)\n"
            "thread.start()\n"
            "while thread.native_id is None: time.sleep(0)"
        ) or self.do("thread.native_id")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def until(condition, seconds=10.0):
    """Wait until a condition is true, and give what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {condition}")
        time.sleep(0.002)


def gone_pid():
    """The id of a process that is gone (and not given again so soon)."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid
