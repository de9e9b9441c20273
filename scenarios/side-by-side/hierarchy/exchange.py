"""usage: exchange.py stream|answer SIZE COUNT NAME MEANS...
Sends messages to a child through each of the means; with answer each one comes back. Both print for
each means: seconds, calls that carried data, bytes that the kernel copied, bytes that the program
copied, context switches, page faults."""

import os
import resource
import sys
import time

from means import LONGEST, SLOTS, Channel

mode, size, count, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
mine = memoryview(b"x" * size)
buffer = bytearray(size)
counts = {"calls": 0, "kernel": 0, "program": 0}


def send_piece(channel, done, at):
    if channel.queue:  # a message is taken as a whole, or refused: so it is cut up here
        piece = mine[done : done + LONGEST]
        channel.queue.send(piece)
        return len(piece)
    if channel.full:
        return os.pwrite(channel.to, mine[done:], at + done)
    return os.write(channel.to, mine[done:])


def receive_piece(channel, done, at):
    room = memoryview(buffer)[done:]
    if channel.queue:
        piece, _ = channel.queue.receive()
        room[: len(piece)] = piece
        return len(piece)
    if channel.full:
        return os.preadv(channel.source, [room], at + done)
    return os.readv(channel.source, [room])


def transfer(channel, at, piece):
    done = 0
    while done < size:
        moved = piece(channel, done, at)
        if moved == 0:
            sys.exit("the other one has ended")
        done += moved
        counts["calls"] += 1
        counts["kernel"] += moved


def send_message(channel):
    at = channel.sent % SLOTS * size
    channel.sent += 1
    if channel.full:
        channel.empty.acquire()  # a call only if it has to sleep
    if channel.memory:
        channel.memory[at : at + size] = mine  # the only copy, and no call
        counts["program"] += size
    else:
        transfer(channel, at, send_piece)
    if channel.full:
        channel.full.release()  # a call only if somebody sleeps


def receive_message(channel):
    at = channel.received % SLOTS * size
    channel.received += 1
    if channel.full:
        channel.full.acquire()
    if channel.memory:  # look at each byte where it lies, as whoever gets a message does
        found = channel.memory.find(b"\n", at, at + size)
    else:
        transfer(channel, at, receive_piece)
        found = buffer.find(b"\n")
    assert found < 0
    if channel.full:
        channel.empty.release()  # this slot is free again


def exchange(to, back, count):
    for _ in range(count):
        if first:
            send_message(to)
            if back:
                receive_message(back)
        else:
            receive_message(to)
            if back:
                send_message(back)


def measure(means, to, back):
    exchange(to, back, SLOTS if count > 1 else 0)  # so that each page has been touched
    counts.update(dict.fromkeys(counts, 0))
    before = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.monotonic()
    exchange(to, back, count)
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_SELF)
    switches = after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw
    faults = after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt
    return f"{means} {seconds:.9f} {' '.join(map(str, counts.values()))} {switches} {faults}\n"


channels = []
for means in sys.argv[5:]:
    back = Channel(means, f"{name}-back", size) if mode == "answer" else None
    channels.append((means, Channel(means, name, size), back))
first = os.fork()
sys.stdout.write("".join(measure(*each) for each in channels))
sys.stdout.flush()
if first:
    os.wait()
