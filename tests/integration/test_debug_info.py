"""Debug information, chains of calls and debug registers, against what programs say themselves."""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from ipcviz.kernel import arch, debug_info, maps, memory, procfs, ptrace, unwinding
from ipcviz.kernel.watchpoints import (
    TRAP_HWBKPT,
    On,
    Watchpoint,
    read_hits,
    set_watchpoints,
)
from tests.integration.harness import SOURCES

NATIVE = arch.find_native_arch()
WAYS = {
    "cc -O0": ("cc", "-g", "-O0"),
    "cc -O2": ("cc", "-g", "-O2"),
    "DWARF 4": ("cc", "-gdwarf-4", "-O1"),
    "clang -O2": ("clang", "-g", "-O2"),
}


def marked_lines(name):
    """The lines of a fixture program that have a mark, by it."""
    lines = (SOURCES / f"{name}.c").read_text().splitlines()
    return {
        line.partition("/* LINE ")[2].split()[0]: number
        for number, line in enumerate(lines, 1)
        if "/* LINE " in line
    }


def build(folder, name, *command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    target = Path(folder) / name
    subprocess.run([*command, "-pthread", "-w", SOURCES / f"{name}.c", "-o", target], check=True)
    return str(target)


def find_sections(path):
    """Where the sections of a program are in its file, by name: (offset, size)."""
    with open(path, "rb") as stream:
        return {
            one.name: (one["sh_offset"], one["sh_size"]) for one in ELFFile(stream).iter_sections()
        }


def lie_with_range(path, raw):
    """Lines advance by what an opcode leaves when it is divided by 0."""
    at, _ = find_sections(path)[".debug_line"]
    raw[at + (16 if raw[at + 4] >= 5 else 14)] = 0


def lie_with_folders(path, raw):
    """2**55 folders, of which each takes no byte."""
    at, _ = find_sections(path)[".debug_line"]
    begin = at + 18 + raw[at + 17] - 1
    raw[begin : begin + 10] = b"\0" + b"\xff" * 7 + b"\x7f\0"


def lie_with_siblings(path, raw):
    """Each entry is its own sibling."""
    begin, _ = find_sections(path)[".debug_info"]
    with open(path, "rb") as stream:
        for unit in ELFFile(stream).get_dwarf_info().iter_CUs():
            for die in unit.iter_DIEs():
                if "DW_AT_sibling" in die.attributes:
                    where = begin + die.attributes["DW_AT_sibling"].offset
                    struct.pack_into("<I", raw, where, die.offset - unit.cu_offset)


def lie_with_size(path, raw):
    """What is packed says that it becomes 2**40 bytes."""
    for name, (at, _) in find_sections(path).items():
        if name.startswith(".debug_") and raw[at : at + 4] == b"\1\0\0\0":
            struct.pack_into("<Q", raw, at + 8, 1 << 40)


def lie_with_rubbish(path, raw):
    """What is packed can't be unpacked."""
    for name, (at, size) in find_sections(path).items():
        if name.startswith(".debug_") and raw[at : at + 4] == b"\1\0\0\0":
            raw[at + 24 : at + size] = bytes(n * 7 % 251 for n in range(size - 24))


def lie_anywhere(path, raw):
    """Some bytes are others."""
    chance = random.Random(len(raw) + raw[-1])
    begin, size = chance.choice(
        [place for name, place in find_sections(path).items() if name.startswith(".debug_")]
    )
    for _ in range(chance.choice((1, 3, 30))):
        raw[begin + chance.randrange(size)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))


LIES = {
    "a line range of 0": (lie_with_range, "-gdwarf-5"),
    "a line range of 0, DWARF 4": (lie_with_range, "-gdwarf-4"),
    "2**55 folders": (lie_with_folders, "-gdwarf-5"),
    "own siblings": (lie_with_siblings, "-gdwarf-4"),
    "2**40 bytes unpacked": (lie_with_size, "-gz=zlib"),
    "packed rubbish": (lie_with_rubbish, "-gz=zlib"),
    **{
        f"anything {n}": (lie_anywhere, ("-gdwarf-5", "-gdwarf-4", "-gz=zlib")[n % 3])
        for n in range(12)
    },
}

ASK = """
import resource, sys
from ipcviz.kernel import debug_info, elf
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
for segment in elf.executable_segments(sys.argv[1]):
    for at in range(segment.vaddr, segment.vaddr + segment.memsz, 5):
        debug_info.find_line(sys.argv[1], at)
for words in ("counter", "no_such", "queue.in", "queue->slot[2]", "*pointer", "table[1].name"):
    debug_info.find_variable(sys.argv[1], words)
"""


@pytest.mark.parametrize("lie", LIES)
def test_debug_information_may_say_anything(tmp_path, lie):
    """The kernel runs such a program, since it looks at none of it: so do we, and read what can be
    read within bounds.
    """
    change, option = LIES[lie]
    path = Path(build(tmp_path, "debug_symbols", "cc", "-g", option))
    raw = bytearray(path.read_bytes())
    raw += bytes([list(LIES).index(lie)])
    change(path, raw)
    path.write_bytes(raw)
    subprocess.run([sys.executable, "-c", ASK, path], check=True)


def wait_until_asleep(pid):
    while procfs.read_stat(pid, pid).state != "S":
        os.sched_yield()


@pytest.mark.parametrize("way", WAYS)
def test_variables_are_found_where_they_lie(tmp_path, way):
    """Whatever compiled it, and however it is reached: the addresses that the program prints."""
    path = build(tmp_path, "debug_symbols", *WAYS[way])
    with subprocess.Popen([path], stdout=subprocess.PIPE, text=True) as process:
        first, counter, calls, queue = (int(word, 16) for word in process.stdout.readline().split())
        line = next(line for line in maps.read_maps(process.pid) if line.path == path)
        wait_until_asleep(process.pid)
        base = line.start - line.offset
        pointer = memory.read_u64(process.pid, queue)
        process.kill()

    def find(expression):
        found = debug_info.find_variable(path, expression)
        return found._replace(address=found.address + base) if found else None

    assert find("counter") == (counter, (), 4, "int", "int")
    assert find("calls") == (calls, (), 8, "long unsigned int", "uint") or find("calls") == (
        (calls, (), 8, "unsigned long", "uint")
    )
    assert find("first")[:3] == (first, (), 160)
    assert find("queue")[:3] == (queue, (), 8)
    assert pointer == first
    assert find("queue->in")[:3] == (queue, (32,), 4)
    assert find("queue->next->slot[2].text[3]")[:2] == (queue, (152, 92))
    assert find("first.real") == (first + 40, (), 8, "double", "float")
    assert find("matrix").type == "unsigned char[12]"
    assert (find("flag").encoding, find("colour").encoding) == ("bool", "uint")
    for wrong in ("mine", "nothing", "queue.in", "first->in", "queue->slot[5]", "counter.x", "3"):
        assert find(wrong) is None, wrong


@pytest.mark.parametrize("way", WAYS)
def test_the_chain_of_calls_is_that_of_the_source(tmp_path, way):
    """Out of libc, through a handler's frame and recursion, down to main, with their lines."""
    path = build(tmp_path, "debug_symbols", *WAYS[way])
    lines = marked_lines("debug_symbols")
    with subprocess.Popen([path], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        wait_until_asleep(process.pid)
        ptrace.seize_thread(process.pid, ptrace.O_EXITKILL)
        ptrace.interrupt_thread(process.pid)
        ptrace.wait_for_change(process.pid, block=True)
        registers = ptrace.get_registers(process.pid, NATIVE)
        mapped = maps.read_maps(process.pid)
        frames = unwinding.walk_stack(
            NATIVE,
            registers,
            lambda address, length: memory.read_bytes(process.pid, address, length),
            lambda address: maps.line_at(mapped, address),
        )
        frames = list(frames)
        process.kill()
    found = [debug_info.find_line(*frame) for frame in frames if frame.path == path]
    told = [(one.function, one.line) for one in found if one]
    assert told[0] == ("compare", lines["compare"])
    assert ("on_usr1", lines["on_usr1"]) in told
    assert told[-1] == ("main", lines["main"]) or way.endswith("-O2")
    assert all(one.file == str(SOURCES / "debug_symbols.c") for one in found if one)
    assert frames[0].path != path, "it sleeps in libc's pause"
    if way == "cc -O0":
        assert [name for name, _ in told] == ["compare", "on_usr1", *["descend"] * 4, "main"]
        assert [line for _, line in told[2:]] == [
            lines["bottom"],
            *[lines["descend"]] * 3,
            lines["main"],
        ]


def test_a_program_without_debug_information_has_none(tmp_path):
    path = build(tmp_path, "debug_symbols", "cc", "-O1", "-s")
    assert debug_info.read_debug_info(path) is None
    assert debug_info.find_line(path, 0x1100) is None
    assert debug_info.find_variable(path, "counter") is None
    assert debug_info.read_debug_info(str(tmp_path)) is None
    assert debug_info.read_debug_info(str(tmp_path / "nowhere")) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_program_raises_nothing(tmp_path, seed):
    """Bytes of the tables changed at random: answers may be wrong or missing, and that is all."""
    path = build(tmp_path, "debug_symbols", "cc", "-g", "-O1")
    whole = Path(path).read_bytes()
    chance = random.Random(seed)
    for turn in range(40):
        raw = bytearray(whole)
        for _ in range(chance.choice((1, 8, 64))):
            raw[chance.randrange(0x2000 if turn % 2 else 0, len(raw))] = chance.randrange(256)
        Path(path).write_bytes(raw)
        debug_info._infos.clear()
        unwinding._indices.clear()
        unwinding._entries.clear()
        debug_info.find_variable(path, "queue->slot[2]")
        for address in range(0x1080, 0x1400, 0x60):
            debug_info.find_line(path, address)
        index = unwinding._indices.get(path)
        for address in range(0x1080, 0x1400, 0x60) if index else ():
            unwinding._find_rules(path, index, address)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x86-64's debug registers")
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize(
    ("kind", "size"), [("uint8_t", 1), ("uint16_t", 2), ("uint32_t", 4), ("uint64_t", 8)]
)
def test_every_load_and_store_stops_the_thread(tmp_path, kind, size, level):
    """As many loads and stores as the program makes, and each store the value that it computes."""
    turns = 300
    path = build(tmp_path, "counted_accesses", "cc", "-g", level, f"-DSIZE={kind}")
    process = subprocess.Popen([path, str(turns), "stopped"], stdout=subprocess.PIPE, text=True)
    address = int(process.stdout.readline(), 16)
    pid = process.pid
    while procfs.read_stat(pid, pid).state != "T":
        os.sched_yield()
    ptrace.seize_thread(pid, ptrace.O_EXITKILL)
    ptrace.interrupt_thread(pid)
    ptrace.wait_for_change(pid, block=True)
    assert set_watchpoints(
        pid, NATIVE, [Watchpoint(address, size), Watchpoint(address, size, On.STORE)]
    )
    os.kill(pid, signal.SIGCONT)
    ptrace.resume_thread(pid, ptrace.CONT)
    loads, stored = 0, []
    while True:
        _, status = ptrace.wait_for_change(pid, block=True)
        if os.WIFEXITED(status):
            break
        signo, event = os.WSTOPSIG(status), status >> 16
        info = ptrace.signal_info(pid)
        if signo == signal.SIGTRAP and not event and info.code == TRAP_HWBKPT:
            if 1 in read_hits(pid):
                stored.append(int.from_bytes(memory.read_bytes(pid, address, size), "little"))
            else:
                loads += 1
            signo = 0
        ptrace.resume_thread(
            pid, ptrace.CONT, 0 if event or signo in (signal.SIGTRAP, signal.SIGCONT) else signo
        )
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert loads == turns
    assert stored == [3 * n % (1 << 8 * size) for n in range(1, turns + 1)]


def test_what_cannot_be_watched_is_refused(tmp_path):
    path = build(tmp_path, "counted_accesses", "cc", "-g")
    process = subprocess.Popen([path, "1", "stopped"], stdout=subprocess.PIPE, text=True)
    address = int(process.stdout.readline(), 16)
    ptrace.seize_thread(process.pid, ptrace.O_EXITKILL)
    ptrace.interrupt_thread(process.pid)
    ptrace.wait_for_change(process.pid, block=True)
    assert not set_watchpoints(process.pid, NATIVE, [Watchpoint(address + 1, 4)]), "not aligned"
    assert not set_watchpoints(process.pid, NATIVE, [Watchpoint(1 << 63, 8)]), "the kernel's memory"
    assert not set_watchpoints(process.pid, NATIVE, [Watchpoint(address, 4)] * 5), "there are four"
    assert set_watchpoints(process.pid, NATIVE, [Watchpoint(address, 4)] * 4)
    assert set_watchpoints(process.pid, NATIVE, [])
    process.kill()
    process.wait()
    process.stdout.close()
    assert not set_watchpoints(process.pid, NATIVE, [Watchpoint(address, 4)]), "it is gone"
