"""usage: letters.py path|pair LETTERS ROOM REST [peek]
One process sends letters and another one takes them, over sockets for datagrams."""

import os
import socket
import sys
import time

PATH = "mailbox"
how, letters, room, rest = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
peek = sys.argv[5:] == ["peek"]


def send_letters(out):
    # The kernel makes this its least: room for a few letters that nobody has taken yet.
    out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    texts = [b"Dear reader, how do you do?", b"no", b"yes"]
    texts += [b"letter %d" % number for number in range(4, letters + 1)]
    for text in [*texts, b""]:  # the last one is empty, and is a letter all the same
        if how == "path":
            out.sendto(text, PATH)
        else:
            out.send(text)


def take_letters(box):
    time.sleep(rest)  # meanwhile they pile up
    while True:
        size = room
        if peek:  # how long is it? MSG_PEEK leaves it there, MSG_TRUNC returns its whole length
            size = box.recv_into(bytearray(1), 1, socket.MSG_PEEK | socket.MSG_TRUNC)
        text = box.recv(max(size, 1))  # one letter, and never more; what has no room is lost
        print(f"{len(text):2} bytes: {text.decode()}", flush=True)
        if not text:
            return  # agreed between the two: such a socket has no end of file


if how == "path":
    box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    box.bind(PATH)
else:
    box, out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
if os.fork() == 0:
    box.close()
    if how == "path":
        out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # needs no name, and no connect
    send_letters(out)
    os._exit(0)
if how == "pair":
    out.close()
take_letters(box)
os.wait()
if how == "path":
    os.unlink(PATH)
