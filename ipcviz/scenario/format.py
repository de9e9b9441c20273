"""What a scenario is: the structs that `scenario.toml` is read into.

Every key of the file is a field here, with the same name; `ipcviz.scenario.check` says what else
must hold, and `docs/scenarios.md` shows it by an example. Programs and their order of events are
the author's; nothing here counts events or measures time, so that a story stays true under any
interleaving.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from ipcviz.events import ObjectKind
from ipcviz.events.accesses import Operation

Language = Literal["sh", "py", "c", "other"]
"""What a variant's programs are written in."""

ParameterType = Literal["integer", "number", "choice", "flag", "text"]
"""How a parameter's value is read: a whole number, a number, one of `choices`, yes or no, any text.
"""

Panel = Literal[
    "picture",
    "descriptors",
    "buffers",
    "semaphores",
    "signals",
    "memory",
    "proc",
    "events",
    "output",
    "source",
]
"""A panel of the screen that a step can point to."""

EventKind = Literal[
    "call",
    "waiting",
    "forked",
    "executed",
    "exited",
    "reaped",
    "signal-delivered",
    "handler-returned",
    "semaphore-op",
    "accessed",
    "marker",
    "stopped",
    "continued",
]
"""The events that a story can be tied to, by their names in the stream."""

Value = bool | int | float | str
"""A parameter's value."""

Texts = str | tuple[str, ...]
"""One text or several, of which one must match."""


class Sheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all parts: immutable, and strict about its keys."""


class Parameter(Sheet, frozen=True):
    """Something that the viewer can set: `--set name=value`; `{name}` in a variant's command.

    Attributes:
        default: Its value if nothing is set; it also tells the type if `type` is not given.
        help: What it is, in a few words, with its unit.
        type: How a value is read; empty for that of the default (choice if there are `choices`).
        choices: The values that are allowed, for a choice.
        min: Smallest number allowed.
        max: Largest number allowed.
    """

    default: Value
    help: str
    type: ParameterType | Literal[""] = ""
    choices: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None


class Variant(Sheet, frozen=True):
    """One way to run the scenario.

    Attributes:
        command: Program and arguments. `{here}` is the scenario's folder, `{build}` where its C
            programs were compiled to, `{python}` the Python that runs ipcviz, `{name}` a
            parameter's value; `{{` stands for a brace.
        language: What its programs are written in.
        title: A few words for the list of variants.
        build: C programs by name, each with its source files, relative to the scenario's folder.
        flags: Further arguments of the compiler, e.g. `-pthread`.
        needs: Programs that must be installed, besides a compiler where there is something to
            build.
    """

    command: tuple[str, ...]
    language: Language
    title: str = ""
    build: dict[str, tuple[str, ...]] = {}
    flags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class Role(Sheet, frozen=True):
    """A part that a process plays, and how the process is recognised: all keys that are given must
    hold.

    Attributes:
        name: Its name on the screen.
        help: What it does, in a few words.
        program: Pattern (`*`, `?`, `[...]`) of the name of the program that it executes, without
            folders.
        argument: Pattern of one of its arguments.
        parent: Role of the process that made it.
        child: Which child of that parent it is, 1 for the first.
        order: Which process of the run it is, 1 for the one that was launched.
    """

    name: str
    help: str = ""
    program: str = ""
    argument: str = ""
    parent: str = ""
    child: int = 0
    order: int = 0


class LabelField(Sheet, frozen=True):
    """A place in shared memory, or in a mapped file, that has a name.

    Attributes:
        name: Its name on the screen.
        offset: Where it begins in the object, in bytes.
        type: Its type, or that of its elements, e.g. `int`.
        count: How many elements it has, for an array; or the name of an earlier field, which says
            how many are in use. Several of type `char` are a text.
    """

    name: str
    offset: int
    type: str = "int"
    count: int | str = 1


class Label(Sheet, frozen=True):
    """A name for an object or a semaphore, and how it is recognised: all keys that are given must
    hold.

    Attributes:
        name: Its name on the screen and in conditions.
        kind: An object's kind, `semaphore`, or `variable`: memory whose loads and stores are seen.
        help: What it is for, in a few words.
        path: Pattern of the last part of its path (a semaphore's name); of an unnamed semaphore's,
            the file it lies in.
        offset: Where in that file a semaphore lies, or in that memory a variable, in bytes.
        memory: The shared memory that a variable lies in: the end of its file's path, or
            `anonymous` for memory without a file.
        symbol: A C variable instead, or what is reached from it: `counter`, `queue->in`. The
            program's debug information says where it lies.
        type: A variable's type in that memory, e.g. `int`.
        group: What a variable belongs to together with others, which have to fit each other.
        order: Which one of those that match otherwise, 1 for the first seen (for semaphores:
            initialised or opened).
        fields: What lies where in shared memory or a mapped file, to be shown with its values.
    """

    name: str
    kind: ObjectKind | Literal["semaphore", "variable"]
    help: str = ""
    path: str = ""
    offset: int | None = None
    order: int = 0
    memory: str = ""
    symbol: str = ""
    type: str = "int"
    group: str = ""
    fields: tuple[LabelField, ...] = ()


class When(Sheet, frozen=True):
    """A condition on one event: all keys that are given must hold.

    Texts are patterns (`*`, `?`, `[...]`).

    Attributes:
        event: The event's kind; empty if another key tells it (`call`, `marker`, `op`, `program`,
            `blocked`, ...).
        role: Role of the process that did it; for `forked` the parent, for `reaped` the one that
            waited.
        child: For `forked` and `reaped`: role of the child.
        call: Name of the system call.
        object: Label of the object or semaphore that it is about.
        fd: The descriptor that it is about.
        error: The error that the call failed with, e.g. `EPIPE`.
        failed: Whether the call failed.
        result: What the call returned.
        args: Its arguments by the manual page's names.
        blocked: The thread sleeps in the call (event `waiting`), it did not return from it.
        because: For `waiting`: why, by a name of `ipcviz.model.waits.values.Why`: `empty`, `full`,
            `child`, `signal`, ...
        signal: Name of the signal delivered or sent, or that ended or stopped a process.
        action: For `signal-delivered`: handler, ignore, terminate, core, stop, continue.
        interrupted: For `signal-delivered`: the call that it cut short.
        jumped: For `handler-returned`: whether the handler was left by a jump (longjmp).
        op: For `semaphore-op`: the function without `sem_`, or `acquired`; for `accessed`: `load`,
            `store` or `update` (both in one instruction).
        lost: For `accessed`: the store overwrites what another thread had stored since this one
            loaded the variable.
        between: For `accessed`: the load comes between two stores of another thread to variables
            of one group, so that what is loaded need not fit.
        value: For `semaphore-op`: the value just before.
        program: For `executed`: the program's name without folders.
        code: For `exited`: the exit status.
        marker: For `marker`: its text.
    """

    event: EventKind | Literal[""] = ""
    role: Texts = ()
    child: Texts = ()
    call: Texts = ()
    object: Texts = ()
    fd: int | None = None
    error: Texts = ()
    failed: bool | None = None
    result: int | None = None
    args: dict[str, int | str] = {}
    blocked: bool = False
    because: Texts = ()
    signal: Texts = ()
    action: Texts = ()
    interrupted: Texts = ()
    jumped: bool | None = None
    op: Texts = ()
    lost: bool = False
    between: bool = False
    value: int | None = None
    program: Texts = ()
    code: int | None = None
    marker: Texts = ()

    @property
    def kind(self) -> str:
        """The event that it is about: `event`, or what its other keys tell; empty if nothing
        does.
        """
        if self.event:
            return self.event
        if self.blocked or self.because:
            return "waiting"
        if ACCESSES.intersection((self.op,) if isinstance(self.op, str) else self.op):
            return "accessed"
        for key, kind in TELLING.items():
            if getattr(self, key) not in ((), None):
                return kind
        return ""


ACCESSES: Final = frozenset(get_args(Operation))
"""Values of `op` that are about a variable."""
TELLING: Final = {
    "call": "call",
    "marker": "marker",
    "op": "semaphore-op",
    "program": "executed",
    "interrupted": "signal-delivered",
    "action": "signal-delivered",
    "jumped": "handler-returned",
    "code": "exited",
}
"""Keys of a condition that tell the event's kind when `event` does not."""

KEYS_OF: Final[dict[str, frozenset[str]]] = {
    "call": frozenset({"call", "object", "fd", "error", "failed", "result", "args", "signal"}),
    "waiting": frozenset({"call", "object", "fd", "args", "blocked", "because"}),
    "forked": frozenset({"child"}),
    "executed": frozenset({"program"}),
    "exited": frozenset({"code", "signal"}),
    "reaped": frozenset({"child"}),
    "signal-delivered": frozenset({"signal", "action", "interrupted"}),
    "handler-returned": frozenset({"jumped"}),
    "semaphore-op": frozenset({"op", "object", "value"}),
    "accessed": frozenset({"op", "object", "lost", "between"}),
    "marker": frozenset({"marker"}),
    "stopped": frozenset({"signal"}),
    "continued": frozenset(),
}
"""Which keys of a condition, besides `event` and `role`, say something about which event."""


class Step(Sheet, frozen=True):
    """A step of the story.

    It is reached by the first event that meets `when`, whenever that comes; what the run's schedule
    has made impossible is skipped, and said.

    Attributes:
        text: What happened and why, and what to look at; a sentence or two.
        when: The event that it tells of.
        id: A name for `after` and for questions.
        title: A few words; a chapter's name in a recording.
        after: Ids of steps that must have been reached before this one can be; if one is skipped,
            so is this.
        unless: An event that makes this step impossible if it comes between the steps of `after`
            and this one.
        otherwise: What is said if the step is skipped; empty for a sentence that ipcviz makes.
        look: Panels in which it shows.
        notes: For the teacher alone: what to point at, what to say; `ipcviz notes` shows it.
    """

    text: str
    when: When
    id: str = ""
    title: str = ""
    after: tuple[str, ...] = ()
    unless: When | None = None
    otherwise: str = ""
    look: tuple[Panel, ...] = ()
    notes: str = ""


class Question(Sheet, frozen=True):
    """A question to predict the next step by.

    Attributes:
        before: Id of the step that answers it, or of several of which the first to be reached does.
        text: The question.
        choices: What can be answered.
        answer: The right one of the choices.
        why: Why it is right, in a sentence; the step's own text follows anyway.
    """

    before: Texts
    text: str
    choices: tuple[str, ...]
    answer: str
    why: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the steps that answer it."""
        return (self.before,) if isinstance(self.before, str) else self.before


class SchedulePlan(Sheet, frozen=True):
    """An order in which the processes go on, that shows something: `ipcviz run NAME --schedule`.

    Attributes:
        title: What happens then, in a few words.
        steps: The order, as `docs/scenarios.md` describes it; one step or goal on each line.
        text: What to look at, in a sentence or two.
        variants: Variants that it is for, the one to run first; empty for all.
        settings: Values of parameters that it needs; what the viewer sets goes before them.
    """

    title: str
    steps: str
    text: str = ""
    variants: tuple[str, ...] = ()
    settings: dict[str, Value] = {}


class Teacher(Sheet, frozen=True):
    """What the teacher should know, and the class does not see; `ipcviz notes` shows it.

    Attributes:
        wrong: What students get wrong, a sentence each.
        next: What to ask or to try next, a sentence each.
    """

    wrong: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


class Document(Sheet, frozen=True):
    """A whole `scenario.toml`.

    Attributes:
        title: What it is called in the catalogue.
        topic: What it belongs to: pipes, named-pipes, memory, semaphores, signals, messages, files.
        summary: What happens, in a sentence or two.
        learn: What one knows afterwards, a sentence each.
        minutes: How long it takes in class.
        variants: Ways to run it, by name.
        default: The variant that is run if none is named; empty for the first that needs no
            compiler.
        parameters: What can be set.
        roles: The processes' parts.
        objects: Names for objects and semaphores.
        story: Its steps.
        questions: What to ask before some of them.
        schedules: Orders in which its processes can be stepped, by name.
        cast: The schedule whose run shows the lesson's moment: `ipcviz record NAME` follows it.
            Empty where all who take turns come to that moment.
        elsewhere: Where other systems than Linux differ; empty if nothing is to be said.
        reading: What to read about it: manual pages (`pipe(2)`), chapters of books.
        teacher: What the teacher should know.
    """

    title: str
    topic: str
    summary: str
    learn: tuple[str, ...]
    minutes: int
    variants: dict[str, Variant]
    default: str = ""
    parameters: dict[str, Parameter] = {}
    roles: tuple[Role, ...] = ()
    objects: tuple[Label, ...] = ()
    story: tuple[Step, ...] = ()
    questions: tuple[Question, ...] = ()
    schedules: dict[str, SchedulePlan] = {}
    cast: str = ""
    elsewhere: str = ""
    reading: tuple[str, ...] = ()
    teacher: Teacher = Teacher()


def name_default_variant(sheet: Document) -> str:
    """The variant to run if none is named: the first that needs no compiler, if the file names
    none; empty if there are no variants.
    """
    if sheet.default:
        return sheet.default
    return next(
        (name for name, variant in sheet.variants.items() if not variant.build),
        next(iter(sheet.variants), ""),
    )


class Scenario(Document, frozen=True, kw_only=True):
    """A scenario as found in a folder.

    Attributes:
        name: The folder's name.
        folder: The folder.
        shipped: It came with ipcviz.
    """

    name: str
    folder: Path
    shipped: bool = False

    @property
    def default_variant(self) -> str:
        """The variant to run if none is named."""
        return name_default_variant(self)

    def list_sources(self, variant: str) -> tuple[Path, ...]:
        """The files of a variant that were written to be read, in the order of its command and
        builds.
        """
        chosen = self.variants[variant]
        words = [
            word.removeprefix("{here}/") for word in chosen.command if word.startswith("{here}/")
        ]
        files = [
            self.folder / word
            for word in (*words, *(s for group in chosen.build.values() for s in group))
        ]
        return tuple(dict.fromkeys(file for file in files if file.is_file()))
