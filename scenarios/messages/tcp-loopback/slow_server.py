"""usage: slow_server.py SENDS REST
A server on a TCP port of this machine that reads late, and a client that sends and sends."""

import os
import socket
import sys
import time

CHUNK = 8192
sends = int(sys.argv[1])
rest = float(sys.argv[2])


def server_read(listener):
    connection, _ = listener.accept()
    time.sleep(rest)  # busy with something else: the bytes wait
    count = 0
    while data := connection.recv(CHUNK):
        count += len(data)
    connection.send(b"%d bytes came" % count)  # the other direction is still open
    connection.close()


def client_send(port):
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)  # Linux takes twice as much
    client.connect(("127.0.0.1", port))
    for _ in range(sends):
        client.sendall(bytes(CHUNK))  # sleeps when neither queue has room
    client.shutdown(socket.SHUT_WR)  # nothing more to say, and ready to listen
    print("client:", client.recv(100).decode(), flush=True)


listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)  # its connections inherit it
listener.bind(("127.0.0.1", 0))  # port 0: any that is free
listener.listen(5)
port = listener.getsockname()[1]
if os.fork() == 0:
    listener.close()
    client_send(port)
    os._exit(0)
server_read(listener)
os.wait()
