"""shmdemo.py TEXT writes the text into a System V segment, shmdemo.py prints it, -r removes it."""

import ctypes
import os
import sys

IPC_CREAT, IPC_RMID, SIZE = 0o1000, 0, 1024

libc = ctypes.CDLL(None, use_errno=True)  # Python has no calls for System V's objects
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
libc.shmdt.argtypes = [ctypes.c_void_p]


def checked(result):
    if result in (-1, ctypes.c_void_p(-1).value):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


# A number made of a file that all know: the key. The file itself is never opened.
key = checked(libc.ftok(b"shmdemo.key", ord("R")))
# The segment of this key: a new one, or one that is there.
segment = checked(libc.shmget(key, SIZE, 0o600 | IPC_CREAT))
address = checked(libc.shmat(segment, None, 0))
data = ctypes.cast(address, ctypes.POINTER(ctypes.c_char * SIZE)).contents
if sys.argv[1:] == ["-r"]:
    # Only marked: it goes with its last attachment, and that is ours.
    checked(libc.shmctl(segment, IPC_RMID, None))
    print(f"removed, and still there for us: {data.value.decode()!r}", flush=True)
elif len(sys.argv) > 1:
    data.value = sys.argv[1].encode()
    print(f"written: {data.value.decode()!r}", flush=True)
else:
    print(f"the segment contains: {data.value.decode()!r}", flush=True)
libc.shmdt(address)
