"""A server that listens and never accepts: its clients are connected, and wait in the backlog."""

import os
import socket
import time
from contextlib import suppress

with suppress(FileNotFoundError):
    os.unlink("desk")
server = socket.socket(socket.AF_UNIX)
server.bind("desk")
server.listen(2)
for number in range(4):
    if os.fork() == 0:
        server.close()
        client = socket.socket(socket.AF_UNIX)
        client.connect("desk")
        client.send(b"hello from client %d" % number)
        client.recv(100)
        os._exit(0)
time.sleep(60)
