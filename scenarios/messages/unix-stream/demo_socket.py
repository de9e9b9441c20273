"""usage: demo_socket.py fresh|stale|unlink [BYTES]
A server at a path in the file system, which forks a handler for each connection."""

import os
import socket
import sys

PATH = "demo_socket"
how = sys.argv[1] if len(sys.argv) > 1 else "fresh"
size = int(sys.argv[2]) if len(sys.argv) > 2 else 100


def server_listen():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(PATH)  # makes the name
    except OSError as error:
        os.unlink(PATH)  # only so that this example leaves nothing behind
        sys.exit(f"bind: {error.strerror}")
    listener.listen(5)  # so many may be connected and not yet accepted
    return listener


def connection_handler(connection):
    data = connection.recv(2 * size)  # what is there: no message, only bytes
    print(f"server: one recv returned {len(data)} bytes", flush=True)
    connection.send(b"hello from the server")


def client_connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(PATH)
    client.send(b"x" * size)
    client.send(b"x" * size)  # twice the same
    print("client:", client.recv(200).decode(), flush=True)


if how != "fresh":
    server_listen().close()  # an earlier server: its socket is gone, and its name is not
if how == "unlink":
    os.unlink(PATH)  # mended

listener = server_listen()
for _ in range(2):
    if os.fork() == 0:
        listener.close()
        client_connect()
        os._exit(0)
for _ in range(2):
    connection, _ = listener.accept()  # a new socket for this client alone
    if os.fork() == 0:
        listener.close()
        connection_handler(connection)
        os._exit(0)
    connection.close()  # the handler has it
for _ in range(4):
    os.wait()
os.unlink(PATH)
