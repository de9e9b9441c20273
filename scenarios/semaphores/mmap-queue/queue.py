"""usage: queue.py [SLOTS] [MESSAGES] [PUT_SECONDS] [GET_SECONDS] [stack|ring|past]
A producer and a consumer process, and between them a bounded queue in a mapped file."""
import ctypes, mmap, os, sys, time

libc = ctypes.CDLL(None)  # Python has no unnamed semaphores: sem_init and the like are libc's own
given = sys.argv[1:] + ["5", "100", "0.1", "0.3", "stack"][len(sys.argv) - 1:]
slots, messages, put_time, get_time, order = *map(int, given[:2]), *map(float, given[2:4]), given[4]
BYTES = 20


def say(text):
    os.write(1, f"{text}\n".encode())  # in one piece: two processes write to the same place


class Message(ctypes.Structure):
    _fields_ = [
        ("_lock", ctypes.c_byte * 32),   # 1 while nobody is at the slots
        ("_empty", ctypes.c_byte * 32),  # how many slots are free
        ("_full", ctypes.c_byte * 32),   # how many slots hold a message
        ("_current", ctypes.c_int),      # stack: the top; ring: where the next one is put,
        ("_first", ctypes.c_int),        # and where the next one is taken
        ("_slot", ctypes.c_char * BYTES * 5),
        ("_total", ctypes.c_int),        # how many messages are sent in all
    ]


def slot(number):
    return Message._slot.offset + BYTES * number  # as in C, nobody asks whether there is such a slot


def slot_to_fill():
    m._current += 1
    if order == "past":
        return slot(m._current)  # 1 to 5, and there are only 0 to 4
    return slot((m._current - 1) % slots if order == "ring" else m._current - 1)


def slot_to_take():
    if order == "ring":
        m._first += 1
        return slot((m._first - 1) % slots)  # what was put first
    m._current -= 1
    return slot(m._current + 1 if order == "past" else m._current)  # what was put last


def put(n):
    libc.sem_wait(m._empty)
    libc.sem_wait(m._lock)
    place = slot_to_fill()
    memory[place:place + BYTES] = f"message {n}".encode().ljust(BYTES, b"\0")
    libc.sem_post(m._lock)
    libc.sem_post(m._full)


def get():
    libc.sem_wait(m._full)
    libc.sem_wait(m._lock)
    place = slot_to_take()
    text = memory[place:place + BYTES].rstrip(b"\0").decode()
    libc.sem_post(m._lock)
    libc.sem_post(m._empty)
    return text


fd = os.open("shared.dat", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
os.ftruncate(fd, mmap.PAGESIZE)
memory = mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_SHARED)
m = Message.from_buffer(memory)
m._total = messages
for semaphore, value in (m._lock, 1), (m._empty, slots), (m._full, 0):
    libc.sem_init(semaphore, 1, value)  # 1: shared between processes

if os.fork() == 0:  # the producer
    for n in range(1, messages + 1):
        put(n)
        say(f"put message {n}")
        if put_time:
            time.sleep(put_time)
    os._exit(0)
if os.fork() == 0:  # the consumer
    for n in range(1, messages + 1):
        say(f"got {get()}")
        if get_time:
            time.sleep(get_time)
    os._exit(0)
os.wait()
os.wait()
say(f"{m._total} messages in all")
os.unlink("shared.dat")
