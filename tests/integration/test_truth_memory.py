"""Shared memory: who maps what where, states of pages, bytes, faults; against what the test reads
from /proc itself.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.model.query import list_mappers
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.narrate import narrate
from tests.integration.harness import Bench, Programs
from tests.integration.watched import Watched

PAGE = os.sysconf("SC_PAGE_SIZE")
Row = tuple[int, int, str]


def shown_by_proc(pid: int) -> set[Row]:
    """Start, length and permissions of the mappings of the program's own objects in
    /proc/PID/maps.
    """
    rows = set()
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split(None, 5)
        path = words[5] if len(words) > 5 else ""
        if re.search(r"/file$|/dev/shm/|/memfd:|/SYSV|/dev/zero", path):
            low, high = (int(word, 16) for word in words[0].split("-"))
            rows.add((low, high - low, words[1]))
    return rows


def told(state: State, pid: int) -> set[Row]:
    return {
        (m.start, m.length, m.prot + ("s" if m.shared else "p"))
        for m in state.mappings.get(pid, ())
        if m.object.key
    }


def letters_by_proc(pid: int, start: int, count: int) -> str:
    """The same letters from /proc/PID/pagemap, read here."""
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        file.seek(start // PAGE * 8)
        raw = file.read(count * 8)
    letters = ""
    for at in range(0, len(raw), 8):
        word = int.from_bytes(raw[at : at + 8], "little")
        present, swapped, shared, alone = (word >> bit & 1 for bit in (63, 62, 61, 56))
        letters += (
            ("o" if alone else "O")
            if present and shared
            else ("c" if alone else "C")
            if present
            else "z."[not swapped]
        )
    return letters


def kilobytes(pid: int, start: int, name: str) -> int:
    """A field of /proc/PID/smaps in bytes."""
    text = Path(f"/proc/{pid}/smaps").read_text()
    part = text[text.index(f"{start:08x}-") :]
    return int(re.search(rf"^{name}: +(\d+) kB", part, re.MULTILINE)[1]) * 1024


def content(pid: int, address: int, length: int) -> bytes:
    with open(f"/proc/{pid}/mem", "rb") as file:
        file.seek(address)
        return file.read(length)


def object_at(state: State, pid: int, start: int) -> str:
    return next((m.object.key for m in state.mappings.get(pid, ()) if m.start == start), "")


@pytest.mark.parametrize("option", ["", "--full"])
def test_mappings_pages_and_bytes(bench: Bench, programs: Programs, option: str) -> None:
    name = f"/ipcviz-memory-{os.getpid()}-{bench.actor.name}"
    options = [option] if option else []
    with Watched(
        bench, [programs["truth_memory"], name], ("child", "mapped", "changed"), *options
    ) as run:
        child, facts = run.at("child"), run.at("mapped")
        pid, other = facts["pid"], child["pid"]
        places = [
            (pid, facts[word])
            for word in ("shared", "private", "named", "segment", "unnamed", "anonymous")
        ]
        places += [(other, facts["private"]), (other, facts["shared"]), (other, child["again"])]

        def letters(state: State) -> dict[tuple[int, int], str]:
            return {
                place: state.pages[place].pages if place in state.pages else "" for place in places
            }

        state = run.until(
            lambda s: (
                told(s, pid) == shown_by_proc(pid)
                and told(s, other) == shown_by_proc(other)
                and all(letters(s).values())
                and all(s.pages[place].rss >= 0 for place in places)
            )
        )
        assert told(state, pid) == shown_by_proc(pid)
        assert told(state, other) == shown_by_proc(other)
        truth = {place: letters_by_proc(*place, state.pages[place].total) for place in places}
        state = run.until(lambda s: letters(s) == truth)
        assert letters(state) == truth
        assert truth[pid, facts["private"]][1] == truth[other, facts["private"]][1] == "c", (
            "each has its own copy"
        )
        assert truth[pid, facts["private"]][3] in "oO", (
            "a page that was only read is the file's own"
        )
        assert truth[pid, facts["anonymous"]].count(".") == 7, (
            "a look does not bring pages into memory"
        )

        figures = ("Rss", "Pss", "Shared_Dirty", "Private_Dirty")
        use = {place: tuple(kilobytes(*place, figure) for figure in figures) for place in places}

        def told_use(state: State) -> dict[tuple[int, int], tuple[int, ...]]:
            pages = {place: state.pages[place] for place in places}
            return {at: (p.rss, p.pss, p.shared_dirty, p.private_dirty) for at, p in pages.items()}

        # Of two processes that share a page the second may have come to it after the first was
        # looked at.
        state = run.until(lambda s: told_use(s) == use)
        assert told_use(state) == use

        keys = {
            word: object_at(state, pid, facts[word])
            for word in ("shared", "named", "segment", "unnamed")
        }
        for word, key in keys.items():
            sample = state.memory[key, 0].sample
            at = facts[word] + sample.offset
            assert sample.data == content(pid, at, len(sample.data)), word
            assert len(sample.data) == 256
        assert state.memory[keys["shared"], 0].sample.data.startswith(b"sHared by both\0")
        # What has neither a name nor a descriptor any more: only root can ask for its size.
        nameless = 2 * PAGE if bench.actor.uid == 0 else -1
        assert [state.memory[keys[word], 0].sample.size for word in keys] == [
            4 * PAGE,
            nameless,
            3 * PAGE,
            PAGE,
        ]
        assert state.memory[keys["shared"], pid].sample.data.startswith(b"pq\0")
        assert state.memory[keys["shared"], other].sample.data.startswith(b"cq\0")
        segment = state.memory[keys["segment"], 0].sample
        assert keys["segment"] == f"shm:{facts['sysv']}"
        fields = next(
            line.split()
            for line in Path("/proc/sysvipc/shm").read_text().splitlines()
            if line.split()[1] == str(facts["sysv"])
        )
        assert segment.attached == int(fields[6]) == 2
        assert segment.removed
        rows = {(m.pid, m.entry.start) for m in list_mappers(state)[keys["shared"]]}
        assert rows == {
            (pid, facts["shared"]),
            (pid, facts["private"]),
            (other, facts["shared"]),
            (other, facts["private"]),
            (other, child["again"]),
        }

        run.release("mapped")
        run.at("changed")
        state = run.until(
            lambda s: (
                told(s, pid) == shown_by_proc(pid)
                and (20, 2) in s.memory[keys["shared"], 0].sample.changed
            )
        )
        assert told(state, pid) == shown_by_proc(pid)
        assert set(state.memory[keys["shared"], 0].sample.changed) == {(20, 2), (PAGE - 1, 1)}
        assert state.memory[keys["shared"], 0].sample.data[20:22] == b"XY"
        state = run.until(lambda s: s.memory[keys["segment"], 0].sample.attached == 1)
        assert state.memory[keys["segment"], 0].sample.attached == 1
        files = {file.object: file.offset for file in state.open_files.values()}
        assert files[keys["shared"]] == 110
        run.release("changed")
        run.release("child")
        assert run.finish() == 0
        calls = {
            event.name
            for event in run.events
            if isinstance(event, ev.Call) and event.object == keys["shared"]
        }
        assert {"mprotect", "msync", "munmap", "ftruncate"} <= calls
        sentences = " ".join(said(run.events))
        assert "of file to be" not in sentences
        for words in (
            "to r--: it may only be read",
            "written to the file, and waited until it was",
            "(IPC_RMID)",
            "what it writes there stays its own",
            "set the size of file to 16,384 bytes",
            "set the size of file to 4,096 bytes; ",
            "16,384 bytes long (it had 32,768 bytes) (mremap)",
            ": private memory is mapped over it (MAP_FIXED)",
            "(MADV_DONTNEED): its own copies of pages there are gone",
            "(MADV_REMOVE): all who have it mapped read zeros there now",
            "(F_SEAL_SEAL|F_SEAL_GROW): nobody can grow it or add a seal any more",
            "to 8,192 bytes: EPERM: its seals forbid it",
        ):
            assert words in sentences, words


def said(events: list[ev.Event]) -> list[str]:
    state, sentences = State(), []
    for event in events:
        after = reduce(state, event)
        sentence = narrate(event, state, after)
        if sentence is not None:
            sentences.append(sentence.text)
        state = after
    return sentences


@pytest.mark.parametrize(("last", "signo"), [("bus", 7), ("segv", 11), ("stack", 11)])
def test_faults_say_why(bench: Bench, programs: Programs, last: str, signo: int) -> None:
    with Watched(bench, [programs["truth_faults"], last], ("faults",)) as run:
        facts = run.at("faults")
        run.release("faults")
        assert run.finish() == 128 + signo
        faults = [
            e for e in run.events if isinstance(e, ev.SignalDelivered) and e.fault is not None
        ]
        assert [(e.signo, e.code, e.address) for e in faults[:4]] == [
            (7, "BUS_ADRERR", facts["at"] + 2 * PAGE + 8),
            (11, "SEGV_ACCERR", facts["locked"] + 16),
            (11, "SEGV_MAPERR", facts["gone"] + 24),
            (11, "SEGV_MAPERR", 8),
        ]
        assert (faults[0].fault.mapping.start, faults[0].fault.size) == (facts["at"], 5000)
        sentences = said(run.events)
        joined = "\n".join(sentences)
        assert "mapped 16,384 bytes of short shared" in joined
        assert "it has only 5,000 bytes: touching a page beyond its end raises SIGBUS" in joined
        assert f"is byte {2 * PAGE + 8:,} of short, past its end: it has 5,000 bytes" in joined
        assert (
            "byte 16 of short (shared): the write was refused, that page may only be read (r--)"
            in joined
        )
        assert f"address {facts['gone'] + 24:#x}: nothing is mapped there)" in joined
        assert "next to a null pointer" in joined
        end = next(text for text in sentences if "was killed by" in text)
        why = {
            "bus": "past its end",
            "segv": "the write was refused",
            "stack": "which has overflowed",
        }
        assert why[last] in end
        assert "SIGSEGV, since it used an address that can't be one" in joined
