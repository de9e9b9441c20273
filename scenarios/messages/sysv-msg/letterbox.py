"""usage: letterbox.py remove|leave SECONDS
A System V message queue: each message has a type, and who receives asks for one."""

import ctypes
import os
import signal
import sys
import time

IPC_CREAT, IPC_RMID, ROOM = 0o1000, 0, 32
how = sys.argv[1] if len(sys.argv) > 1 else "remove"
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.5

libc = ctypes.CDLL(None, use_errno=True)  # Python has no calls for System V's objects
libc.msgrcv.restype = ctypes.c_ssize_t
libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int]
libc.msgsnd.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Letter(ctypes.Structure):
    # The type is for the kernel, and greater than 0; it does not count as a byte.
    _fields_ = [("type", ctypes.c_long), ("text", ctypes.c_char * ROOM)]


def checked(result):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def send_letter(kind, text):
    letter = Letter(kind, text)
    checked(libc.msgsnd(queue, ctypes.byref(letter), len(text), 0))


def receive_letter(kind):
    letter = Letter()
    count = checked(libc.msgrcv(queue, ctypes.byref(letter), ROOM, kind, 0))
    text = letter.text[:count].decode()
    print(f"wanted type {kind}, got type {letter.type}: {text}", flush=True)


open("queue.key", "w").close()  # ftok makes a key of a file that all know
queue = checked(libc.msgget(checked(libc.ftok(b"queue.key", ord("Q"))), IPC_CREAT | 0o600))
send_letter(1, b"bill")
send_letter(1, b"advert")
send_letter(1, b"postcard")
if os.fork() == 0:
    receive_letter(2)  # the first one of type 2
    receive_letter(0)  # the first one
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    time.sleep(seconds)
    send_letter(2, b"telegram")
    os.wait()
finally:
    if how != "leave":
        libc.msgctl(queue, IPC_RMID, None)  # with all that waits in it
        os.unlink("queue.key")
