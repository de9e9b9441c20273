"""usage: door.py pass|number
A call through a path in the file system: the server opens a file for the one who calls, and gives
it away. A descriptor can be passed; its number alone is of no use."""

import os
import socket
import struct
import sys

DOOR, NOTE = "door", "note"
how = sys.argv[1] if len(sys.argv) > 1 else "pass"


def server_answer(listener):
    connection, _ = listener.accept()
    request, extras, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(struct.calcsize("3i")))
    for _, _, data in extras:  # SCM_CREDENTIALS: the kernel wrote this, not the client
        pid, uid, _ = struct.unpack("3i", data)
        print(f"server: process {pid} of user {uid} wants {request.decode()}", flush=True)
    fd = os.open(NOTE, os.O_RDONLY)
    os.unlink(NOTE)  # from now on nobody can open it by its name
    os.read(fd, len("first line\n"))
    if how == "pass":
        socket.send_fds(connection, [str(fd).encode()], [fd])  # sendmsg with SCM_RIGHTS
    else:
        connection.send(str(fd).encode())
    os.close(fd)


def client_call():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(DOOR)
    client.send(b"the note")
    if how == "pass":
        text, fds, _, _ = socket.recv_fds(client, 100, 1)
        fd = fds[0]  # a new descriptor, which the kernel made in our table
    else:
        text = client.recv(100)
        fd = int(text)
    print(f"client: the server says {text.decode()}, I have {fd}", flush=True)
    if how == "number":
        os.access("/.ipcviz/step/uses the number", os.F_OK)  # says to ipcviz where we are
    try:
        print("client:", os.read(fd, 100).decode(), end="", flush=True)
    except OSError as error:
        print("client:", error.strerror, flush=True)


with open(NOTE, "w") as note:
    note.write("first line\nsecond line\n")
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # who calls comes with the request
listener.bind(DOOR)
listener.listen(5)
if os.fork() == 0:
    listener.close()
    client_call()
    os._exit(0)
server_answer(listener)
os.wait()
os.unlink(DOOR)
