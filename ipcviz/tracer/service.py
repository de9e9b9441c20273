"""The tracer process: takes a configuration and commands from its session, runs the engine, sends
the stream.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import socket
import time
from functools import partial
from typing import Final

import msgspec

from ipcviz import __version__, streams
from ipcviz.events import (
    AnyCommand,
    EndForced,
    Finished,
    HoldAll,
    Input,
    Inspect,
    Let,
    Output,
    Peek,
    Quit,
    Resize,
    RunUntil,
    SendSignal,
    Started,
    Trouble,
    Watch,
)
from ipcviz.events.undecoded import restore_text
from ipcviz.kernel import descriptors, procfs, ptrace, running, seccomp, signals
from ipcviz.kernel.arch import Arch, find_native_arch
from ipcviz.kernel.memory import PAGE_SIZE
from ipcviz.tracer import launch
from ipcviz.tracer.attached import attach
from ipcviz.tracer.attached.seized import SeizedEngine
from ipcviz.tracer.attached.watcher import Watcher
from ipcviz.tracer.calls.table import CONDITIONS, DATA, FULL_CONDITIONS, MARKER_PATH, STRUCTURAL
from ipcviz.tracer.config import AnyConfig, AttachConfig, LaunchConfig
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.executable import LaunchError
from ipcviz.tracer.patience import Patience
from ipcviz.tracer.stops import confinement
from ipcviz.tracer.stops.engine import OPTIONS, Engine
from ipcviz.tracer.wire import Unframer

FIRST_SAMPLE: Final = 0.02
"""Seconds until the first look at what was launched: a screen waits for it."""
SAMPLE_SHARE: Final = 0.25
"""At most this part of a CPU goes into samples: where one costs much, they come less often."""
MOST_STRETCH: Final = 3.0
"""Where a sample waits for its turns on a CPU, it counts for as long as it took, but for so many
times its CPU time at most: between busy threads that are watched it waits, too, and samples must
not become rare for that."""
BUSY_SHARE: Final = 0.1
"""The same while threads stop all the time: whoever is stopped waits for the end of a sample."""

ANNOUNCE_EVERY: Final = 0.002
"""How many seconds pass between two looks at threads that may sleep in their calls: each goes
through all of them.
"""

STOPS_AT_ONCE: Final = 500
"""Stops that are handled before the loop looks after everything else."""

PRICED: Final = 15
"""Of so many stops what one costs is measured: an odd number, since entries and returns of calls
take turns."""

OUTPUT_SECONDS: Final = 0.02
"""For how long after output more of it is expected."""

CHUNK: Final = 65536

_CONFIGURATION: Final = msgspec.msgpack.Decoder(AnyConfig)


class Service:
    """One session of the tracer process.

    Args:
        channel: The session's socket.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._unframer = Unframer()
        self._commands = msgspec.msgpack.Decoder(AnyCommand)
        self._waiting_commands: list[bytes] = []
        self._master = -1
        self._deserted = False
        self._typed = bytearray()
        self._patience: Patience | None = None
        self._output_until = 0.0
        self._next_sample = self._next_announcement = 0.0
        self._rested = True
        """Whether there was a moment without a stop since the last sample."""
        self._quit = False
        self._kept = 0
        self._kept_at = 0.0
        self._output = bytearray()
        self._listening = True
        self._dropped = 0
        self._failed = -1
        self._trouble = ""
        self._engine: Engine | Watcher | None = None

    def run(self) -> None:
        """The whole session; returns when it is over."""
        config = self._read_configuration()
        if config is None:
            return
        # What was there before us never waits for our reader.
        seizes = isinstance(config, AttachConfig) and config.trace
        self._emitter = Emitter(self._channel, lossless=config.full, holds=not seizes)
        self._config = config
        try:
            if isinstance(config, AttachConfig):
                self._attach_processes(config)
            else:
                self._launch_command(config)
            self._run_loop()
        except LaunchError as error:
            self._trouble = str(error)
        except (OSError, MemoryError) as error:
            self._trouble = _what_failed(error)
        except Exception as error:  # noqa: BLE001 - a traceback would stand in the midst of the command's output
            from ipcviz.messages import keep_report

            self._trouble = keep_report(error)
        finally:
            self._end_session()

    def stop(self) -> None:
        """End the session at the next turn of the loop (for signal handlers)."""
        self._quit = True

    def _read_configuration(self) -> AnyConfig | None:
        """The first frame; None if the session went away first."""
        while True:
            data = self._channel.recv(CHUNK)
            if not data:
                return None
            bodies = self._unframer.feed(data)
            if bodies:
                self._waiting_commands = bodies[1:]
                config: AnyConfig = _CONFIGURATION.decode(bodies[0])
                if isinstance(config, LaunchConfig):
                    argv = tuple(restore_text(word) for word in config.argv)
                    config = msgspec.structs.replace(
                        config, argv=argv, cwd=restore_text(config.cwd)
                    )
                return config

    @staticmethod
    def _find_architecture() -> Arch:
        arch = find_native_arch()
        if arch is None:
            raise LaunchError(
                f"ipcviz knows the system calls of x86-64 and aarch64, not of {os.uname().machine}."
            )
        return arch

    def _attach_processes(self, config: AttachConfig) -> None:
        arch = self._find_architecture()
        trouble = ptrace.can_trace() if config.trace else ""
        if trouble:
            raise LaunchError(trouble)
        attach.check_processes(config.pids, trace=config.trace, spare=(*config.spare, os.getpid()))
        emitter = self._emitter
        emitter.emit(
            Started(
                version=__version__,
                argv=procfs.read_cmdline(config.pids[0]) or config.argv,
                mode="attached",
                kernel=os.uname().release,
                machine=arch.machine,
                page_size=PAGE_SIZE,
                missing=descriptors.missing_features(),
                sample_hz=config.sample_hz,
                began=time.time() - emitter.now(),
                host=running.read_machine_facts(),
            )
        )
        engine = (
            SeizedEngine(arch, config, emitter) if config.trace else Watcher(arch, config, emitter)
        )
        self._engine = engine
        engine.begin()

    def _launch_command(self, config: LaunchConfig) -> None:
        arch = self._find_architecture()
        trouble = ptrace.can_trace()
        if trouble:
            raise LaunchError(trouble)
        missing = descriptors.missing_features()
        marks = {*STRUCTURAL, *DATA, *MARKER_PATH} if config.full else set(STRUCTURAL)
        conditions = confinement.add_marks(FULL_CONDITIONS if config.full else CONDITIONS)
        program = seccomp.build_filter(arch, marks, conditions)
        if not config.seccomp:
            program = b""
        elif not seccomp.is_available(arch):
            program = b""
            why = (
                "There are no seccomp filters here (an old kernel, or a sandbox that forbids them)"
            )
            missing = (*missing, f"{why}: every call of the command is stopped at.")
        launched = launch.launch_command(config, arch, program, OPTIONS)
        self._master = launched.master
        emitter = self._emitter
        emitter.emit(
            Started(
                version=__version__,
                argv=config.argv,
                mode="full" if config.full else "live",
                terminal=config.terminal,
                kernel=os.uname().release,
                machine=arch.machine,
                page_size=PAGE_SIZE,
                missing=missing,
                sample_hz=config.sample_hz,
                began=time.time() - emitter.now(),
                host=running.read_machine_facts(),
            )
        )
        self._engine = Engine(arch, config, emitter, always=not program)
        self._engine.add_root(launched.pid)
        self._failed = launched.failed
        if self._is_wanted():
            launch.let_go(launched)
        else:
            self._quit = True

    def _is_wanted(self) -> bool:
        """Whether there is still a session to launch the command for, and nobody has told us to
        end.
        """
        poll = select.poll()
        poll.register(self._channel, select.POLLRDHUP)
        return not self._quit and not poll.poll(0)

    # The loop.

    def _begin_listening(self) -> None:
        """Begin to hear of stops, commands and output."""
        self._wake, wake_write = os.pipe()
        for fd in (self._wake, wake_write):
            os.set_blocking(fd, False)
        # A signal at each stop would cost as much as the stop: it is blocked, and heard by a
        # descriptor.
        self._children = signals.open_signalfd({signal.SIGCHLD})
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._poll = select.epoll()
        for fd in (self._wake, self._children, self._channel.fileno()):
            self._poll.register(fd, select.EPOLLIN)
        if self._failed >= 0:
            self._poll.register(self._failed, select.EPOLLIN)
        if self._master >= 0:
            os.set_blocking(self._master, False)
            self._poll.register(self._master, select.EPOLLIN)

    def _run_loop(self) -> None:
        self._begin_listening()
        engine, emitter = self._engine, self._emitter
        assert engine is not None
        for body in self._waiting_commands:
            self._obey_command(engine, body)
        self._next_sample = time.monotonic() + FIRST_SAMPLE
        while (
            not self._quit
            and (engine.is_watching() or self._failed >= 0)
            and not self._is_leaving()
        ):
            self._handle_stops(engine)
            self._announce_waits(engine)
            if isinstance(engine, Engine):
                engine.end_limits()
                engine.check_rest()
            if emitter.flush_due():
                self._emit_output()
                emitter.flush()
                self._listen_to_output()
            now = time.monotonic()
            if now >= self._next_sample:
                self._sample_processes(engine, now)
                continue
            self._wait_for_input(engine, self._choose_timeout(engine, now))
            if emitter.closed or emitter.overrun:
                self._quit = True

    def _announce_waits(self, engine: Engine | Watcher) -> None:
        if engine.pending_waits() and time.monotonic() >= self._next_announcement:
            began = time.thread_time()
            engine.announce_waits()
            took = time.thread_time() - began
            self._next_announcement = time.monotonic() + max(ANNOUNCE_EVERY, took / SAMPLE_SHARE)

    def _sample_processes(self, engine: Engine | Watcher, now: float) -> None:
        """Sample, and say when the next time is."""
        period = 1.0 / self._config.sample_hz
        began = time.thread_time()
        if engine.is_watching():
            engine.sample()
        # What it cost; on CPUs that others take, too, all that we do takes longer, and stops wait
        # for it.
        took = time.thread_time() - began
        took = min(time.monotonic() - now, MOST_STRETCH * took)
        share = SAMPLE_SHARE if self._rested else BUSY_SHARE
        # On the beat, however late this one was; but never two at once, nor too much of the time.
        self._next_sample = max(self._next_sample + period, now + took / share, now + period / 2)
        self._rested = False

    def _choose_timeout(self, engine: Engine | Watcher, now: float) -> float:
        """For how many seconds there is nothing to do unless somebody asks for it."""
        pending = engine.pending_waits()
        timeout = min(
            self._next_sample - now,
            max(self._next_announcement - now, 0.004) if pending else 1.0,
        )
        if not isinstance(engine, Engine):
            return timeout
        left = engine.next_limit()
        if left is not None:
            timeout = min(timeout, left)
        return min(timeout, 0.001) if engine.stepping.unsettled else timeout

    def _wait_for_input(self, engine: Engine | Watcher, timeout: float) -> None:
        """Wait until there is something to be read, and read it."""
        for fd, _ in self._poll.poll(timeout):
            if fd in (self._children, self._wake):
                with contextlib.suppress(BlockingIOError):
                    os.read(fd, CHUNK)
            elif fd == self._channel.fileno():
                self._read_commands(engine)
            elif fd == self._master:
                self._read_output()
            elif fd == self._failed:
                self._executed_or_not()

    def _handle_stops(self, engine: Engine | Watcher) -> None:
        """Handle every stop that there is, but come up for the rest now and then."""
        if isinstance(engine, Watcher):
            return
        patience = self._patience
        if patience is None:
            patience = self._patience = _patience_for(engine)
        handle = engine.handle_stop
        # A terminal takes little before it makes its writer wait: see to it at once.
        quick = time.monotonic() < self._output_until or engine.stepping.unsettled
        came, turn = patience.wait(), 0
        while came is not None and came[0]:
            turn += 1
            if turn % PRICED:
                handle(*came)
            else:
                engine.handle_and_price(*came)
            if turn == STOPS_AT_ONCE:
                break
            if turn % 16 == 0:
                self._emitter.flush_if_due()
            came = patience.wait_after_stop(quick=quick)
        else:
            self._rested = True
        patience.stop_ticking()

    def _executed_or_not(self) -> None:
        """The child has executed the command (the pipe closed), or says why it could not."""
        text = os.read(self._failed, 64)
        self._poll.unregister(self._failed)
        os.close(self._failed)
        self._failed = -1
        if text:
            raise LaunchError(launch.why_not(int(text), self._config.argv[0]))

    def _read_output(self) -> None:
        try:
            data = os.read(self._master, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            # Nobody has the terminal open at this moment. Whoever goes on may open it again, and
            # would get SIGHUP if this side were closed (pty(7)). Until then news alone is reported,
            # since this state would be reported without end.
            self._deserted = True
            self._poll.modify(self._master, select.EPOLLIN | select.EPOLLET)
            return
        if self._deserted:
            self._deserted, self._listening = False, True
            self._poll.modify(self._master, select.EPOLLIN)
        self._output_until = time.monotonic() + OUTPUT_SECONDS
        self._keep_output(data)

    def _keep_output(self, data: bytes) -> None:
        """Gather what the command writes, but not more than a second's budget: endless output is
        counted, not kept.
        """
        now = time.monotonic()
        if now - self._kept_at >= 1.0:
            self._kept_at, self._kept = now, 0
        limit = self._config.keep_output if isinstance(self._config, LaunchConfig) else 0
        if limit and self._kept + len(data) > limit:
            self._emit_output()
            self._dropped += len(data)
            return
        self._kept += len(data)
        self._output += data
        if len(self._output) >= CHUNK:
            self._emit_output()

    def _emit_output(self) -> None:
        """What was gathered goes into the stream as one event."""
        if not self._output:
            return
        emitter = self._emitter
        data, dropped = bytes(self._output), self._dropped
        self._output.clear()
        self._dropped = 0
        emitter.emit(Output(data=data, dropped=dropped))

    def _listen_to_output(self) -> None:
        """Read the command's terminal only while the stream's reader keeps up: a slow terminal
        makes writers wait.
        """
        listening = not self._emitter.congested
        if self._master >= 0 and listening != self._listening and not self._deserted:
            self._listening = listening
            self._poll.modify(self._master, select.EPOLLIN if listening else 0)

    # Commands.

    def _read_commands(self, engine: Engine | Watcher) -> None:
        try:
            data = self._channel.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._quit = True
            return
        for body in self._unframer.feed(data):
            self._obey_command(engine, body)

    def _obey_command(self, engine: Engine | Watcher, body: bytes) -> None:
        command = self._commands.decode(body)
        if isinstance(command, Quit):
            self._quit = True
        elif isinstance(command, Input):
            self._typed += command.data
            self._type_input()
        elif isinstance(command, Resize) and self._master >= 0:
            with contextlib.suppress(OSError):
                launch.set_size(self._master, command.rows, command.columns)
        elif isinstance(command, SendSignal) and command.pid in engine.processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(command.pid, command.signo)
        elif isinstance(command, HoldAll | Let | RunUntil):
            self._obey_in_steps(engine, command)
        elif isinstance(command, Watch):
            self._watch_too(engine, command.pid)
        elif isinstance(command, Peek):
            engine.sampler.peek = (command.object, command.limit)
        elif isinstance(command, Inspect):
            engine.sampler.facts.choose_process(command.pid)
            engine.sampler.lines.choose_process(command.pid if command.lines else 0)

    def _obey_in_steps(self, engine: Engine | Watcher, command: HoldAll | Let | RunUntil) -> None:
        if not isinstance(engine, Engine) or isinstance(engine, SeizedEngine):
            message = "Only what ipcviz has launched can be held and stepped: use 'ipcviz run'."
            self._emitter.emit(Trouble(message=message))
        elif isinstance(command, HoldAll):
            engine.stepping.hold()
        elif isinstance(command, Let):
            engine.stepping.step_thread(command.tid)
        else:
            engine.stepping.release(command.until)

    def _watch_too(self, engine: Engine | Watcher, pid: int) -> None:
        """Watch one more running process, or say why that can't be."""
        message = (
            "Beside a command that ipcviz has launched nothing else is watched: use 'ipcviz"
            " attach'."
        )
        if isinstance(engine, SeizedEngine | Watcher):
            try:
                engine.watch(pid)
                return
            except attach.AttachError as error:
                message = str(error)
        self._emitter.emit(Trouble(message=message))

    def _type_input(self) -> None:
        """Type to the command's terminal what it takes; the rest with the next turn."""
        if self._master < 0:
            self._typed.clear()
            return
        with contextlib.suppress(OSError):
            sent = os.write(self._master, self._typed)
            del self._typed[:sent]

    # The end.

    def _end_session(self) -> None:
        """Kill what was launched and is left, wait until it is gone, and send the last events.

        What was attached to is let go of when this process ends.
        """
        emitter = self._emitter
        if self._is_leaving():
            self._leave_command()
            return
        if self._engine is not None and self._engine.is_watching() and not self._trouble:
            living = len(self._engine.processes)
            emitter.emit(EndForced(living=living))
        if self._engine is not None and not isinstance(self._engine, SeizedEngine | Watcher):
            self._kill_all(self._engine)
        if self._master >= 0:
            with contextlib.suppress(OSError):
                while data := os.read(self._master, CHUNK):
                    self._keep_output(data)
        self._emit_output()
        if self._trouble:
            emitter.emit(Trouble(message=self._trouble, fatal=True))
            if not emitter.state.finished:
                emitter.emit(Finished(code=2))
        elif isinstance(self._engine, SeizedEngine | Watcher):
            engine = self._engine
            if emitter.overrun:
                message = (
                    f"Nobody read the stream until {emitter.backlog >> 20} MiB waited: ipcviz has"
                    " let go."
                )
                emitter.emit(Trouble(message=message))
            if isinstance(engine, SeizedEngine):
                engine.see_through(lambda: self._handle_stops(engine))
            engine.emit_finished()
            emitter.flush()
            if isinstance(engine, SeizedEngine) and emitter.backlog:
                self._leave_rest_to_child()
        elif self._engine is not None:
            self._engine.all_gone()
        with contextlib.suppress(OSError):
            emitter.drain()

    def _is_leaving(self) -> bool:
        """Whether the command has ended, and is to be left with what it left running."""
        config, engine = self._config, self._engine
        if not (isinstance(config, LaunchConfig) and config.leave) or self._quit or self._trouble:
            return False
        return isinstance(engine, Engine) and engine.ended and engine.is_watching()

    def _leave_command(self) -> None:
        """End the stream, and stay beside what still runs until it has ended, too, without being in
        anyone's way.

        It can't do without a tracer: a process keeps its seccomp filter for good, and the calls
        that this one marks fail where nobody answers (SECCOMP_RET_TRACE of seccomp(2)).
        """
        engine = self._engine
        assert isinstance(engine, Engine)
        self._emit_output()
        engine.emit_detached()
        ptrace.outlive_parent()
        for signo in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signo, signal.SIG_IGN)
        self._poll.unregister(self._channel)
        if self._master >= 0:
            # As when a terminal's window is closed.
            self._poll.unregister(self._master)
            os.close(self._master)
            self._master = -1
        streams.let_go()
        self._emitter.hang_up()
        while engine.is_watching():
            self._handle_stops(engine)
            if engine.pending_waits():
                engine.announce_waits()
            engine.check_rest()
            for fd, _ in self._poll.poll(0.1 if engine.pending_waits() else 1.0):
                with contextlib.suppress(BlockingIOError):
                    os.read(fd, CHUNK)

    @staticmethod
    def _leave_rest_to_child() -> None:
        """End, since threads stop until this process is gone; a child of it waits for the last
        events' slow reader.
        """
        with contextlib.suppress(OSError):
            if os.fork():
                os._exit(0)

    @staticmethod
    def _kill_all(engine: Engine) -> None:
        """Kill every observed process and wait until it is gone: `waitpid` says so, and there is no
        other way out.
        """
        engine.stepping.abandon()
        deadline = time.monotonic() + 5.0
        killed: set[int] = set()
        while engine.is_watching() and time.monotonic() < deadline:
            for pid in {*engine.processes, *engine.list_unborn()} - killed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            came = ptrace.wait_for_change()
            if came is None:
                break
            if came[0]:
                engine.handle_stop(*came)
            else:
                time.sleep(0.001)
                # One that executes takes another's place, and its number: again, in case it was
                # missed.
                killed.clear()


def _patience_for(engine: Engine) -> Patience:
    if isinstance(engine, SeizedEngine):
        return Patience(partial(ptrace.wait_gently, engine.is_traced), sleeps=False)
    return Patience(ptrace.wait_for_change, sleeps=True)


def _what_failed(error: OSError | MemoryError) -> str:
    """One sentence for what the system refused the tracer, and where, for who reports it."""
    if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
        return "The tracer has no more memory: see 'ulimit -v' and 'free'."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "The tracer can open no more files: raise the limit ('ulimit -n')."
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place, trace = f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}", trace.tb_next
    return f"The tracer can't go on: {error.strerror or error} ({place})."


def spare_collections() -> None:
    """Look for cycles of garbage rarely: events and states have none, and each look goes through
    all that is known.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()


def main(fd: int) -> None:
    """Run a session on an inherited socket."""
    os.set_inheritable(fd, False)
    streams.occupy_standard_streams()
    launch.ignore_terminal_signals()
    spare_collections()
    channel = socket.socket(fileno=fd)
    service = Service(channel)
    for signo in (signal.SIGTERM, signal.SIGHUP):
        launch.remember_disposition(signo)
        signal.signal(signo, lambda *_: service.stop())
    service.run()
    # All is sent, and nothing is left to be undone: taking every module apart would only let the
    # session wait, and what was attached to stand still wherever it stops meanwhile.
    os._exit(0)
