"""usage: queue.py [SLOTS] [MESSAGES] [PUT_SECONDS] [GET_SECONDS] [stack|ring]
A producer and a consumer process, and between them a bounded queue in a mapped file."""
import ctypes, mmap, os, sys, time

libc = ctypes.CDLL(None)  # Python has no unnamed semaphores: sem_init and the like are libc's own
slots, messages, put_time, get_time, order = sys.argv[1:] + ["4", "12", "0.1", "0.3", "stack"][len(sys.argv) - 1:]
slots, messages = int(slots), int(messages)


def say(text):
    os.write(1, f"{text}\n".encode())  # in one piece: two processes write to the same place


class Queue(ctypes.Structure):
    _fields_ = [
        ("_lock", ctypes.c_byte * 32),   # 1 while nobody is at the slots
        ("_empty", ctypes.c_byte * 32),  # how many slots are free
        ("_full", ctypes.c_byte * 32),   # how many slots hold a message
        ("size", ctypes.c_int), ("ring", ctypes.c_int), ("in_", ctypes.c_int), ("out", ctypes.c_int),
        ("slot", ctypes.c_int * slots),
    ]


def put(q, message):
    libc.sem_wait(q._empty)
    libc.sem_wait(q._lock)
    q.slot[q.in_] = message
    q.in_ = (q.in_ + 1) % slots if order == "ring" else q.in_ + 1
    libc.sem_post(q._lock)
    libc.sem_post(q._full)


def get(q):
    libc.sem_wait(q._full)
    libc.sem_wait(q._lock)
    if order == "ring":
        message, q.out = q.slot[q.out], (q.out + 1) % slots
    else:
        q.in_ -= 1  # the one that was put last
        message = q.slot[q.in_]
    libc.sem_post(q._lock)
    libc.sem_post(q._empty)
    return message


fd = os.open("shared.dat", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
os.ftruncate(fd, ctypes.sizeof(Queue))
memory = mmap.mmap(fd, ctypes.sizeof(Queue), mmap.MAP_SHARED)
q = Queue.from_buffer(memory)
q.size, q.ring = slots, order == "ring"
for semaphore, value in (q._lock, 1), (q._empty, slots), (q._full, 0):
    libc.sem_init(semaphore, 1, value)  # 1: shared between processes

if os.fork() == 0:  # the producer
    for n in range(1, messages + 1):
        put(q, n)
        say(f"put {n}")
        time.sleep(float(put_time))
    os._exit(0)
if os.fork() == 0:  # the consumer
    for n in range(1, messages + 1):
        say(f"got {get(q)}")
        time.sleep(float(get_time))
    os._exit(0)
os.wait()
os.wait()
os.unlink("shared.dat")
