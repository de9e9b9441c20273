"""Finding out which open file description a descriptor refers to, with kcmp(2) played by a
table.
"""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from ipcviz.kernel.known import Known
from ipcviz.model.state import Descriptor
from ipcviz.tracer.sampling.traced_tables import is_executing


class Kernel:
    """Descriptors that refer to descriptions of objects; the order of descriptions is that of their
    numbers.
    """

    def __init__(self):
        self.behind = {}  # place: (object, description)
        self.asked = 0

    def compare(self, pid1, fd1, pid2, fd2):
        self.asked += 1
        one, other = self.behind.get((pid1, fd1)), self.behind.get((pid2, fd2))
        if one is None or other is None:
            return None
        return "same" if one == other else "before" if one[1] < other[1] else "after"

    def read(self, known, pid, new):
        """What a reading of a whole table comes to."""
        mine = sorted(place for place in self.behind if place[0] == pid)
        found = {}
        for place in mine:
            thing = self.behind[place][0]
            refers = lambda other, thing=thing: self.behind.get(other, ("",))[0] == thing  # noqa: E731
            found[place] = known.identify_description(thing, place, self.compare, refers, new)
        for fd in known.list_descriptions(pid).keys() - {fd for _, fd in mine}:
            known.drop_descriptor((pid, fd))
        return found


def test_a_description_has_one_number_in_all_processes():
    kernel, known, new = Kernel(), Known(), count(1).__next__
    for pid in (1, 2, 3):
        kernel.behind |= {
            (pid, 0): ("tty", 50),
            (pid, 1): ("tty", 50),
            (pid, 2): ("tty", 60 + pid),
            (pid, 3): ("p", 7),
        }
    tables = [kernel.read(known, pid, new) for pid in (1, 2, 3)]
    assert len({table[pid, fd] for pid, table in enumerate(tables, 1) for fd in (0, 1)}) == 1
    assert len({table[pid, 2] for pid, table in enumerate(tables, 1)}) == 3
    assert len({table[pid, 3] for pid, table in enumerate(tables, 1)}) == 1
    assert [kernel.read(known, pid, new) for pid in (1, 2, 3)] == tables


def test_what_is_no_longer_there_is_not_compared_with():
    kernel, known, new = Kernel(), Known(), count(1).__next__
    kernel.behind = {(1, 0): ("f", 10), (2, 0): ("f", 20), (3, 0): ("f", 30)}
    first = [kernel.read(known, pid, new)[pid, 0] for pid in (1, 2, 3)]
    # 2 has another file in its place now, and 4 another description of f, before all others.
    kernel.behind[2, 0], kernel.behind[4, 0], kernel.behind[4, 1] = ("g", 5), ("f", 1), ("f", 30)
    fourth = kernel.read(known, 4, new)
    assert fourth[4, 0] not in first
    assert fourth[4, 1] == first[2]
    assert kernel.read(known, 1, new)[1, 0] == first[0]


def test_a_thousand_processes_with_the_same_file_need_few_comparisons():
    kernel, known, new = Kernel(), Known(), count(1).__next__
    for pid in range(1, 1001):
        kernel.behind |= {(pid, 0): ("null", pid * 7919 % 1009), (pid, 1): ("pipe", 1)}
    tables = [kernel.read(known, pid, new) for pid in range(1, 1001)]
    assert len({table[pid, 0] for pid, table in enumerate(tables, 1)}) == 1000
    assert len({table[pid, 1] for pid, table in enumerate(tables, 1)}) == 1
    assert kernel.asked < 1000 * 12


def test_what_was_said_counts_where_nothing_can_be_compared():
    known = Known()
    known.note_descriptor(77, "f", (1, 0))
    never = lambda *_: None  # noqa: E731
    assert known.identify_description("f", (1, 0), never, lambda _: True, lambda: 99) == 77
    assert known.identify_description("f", (1, 1), never, lambda _: True, lambda: 99) == 99


PLACES = st.tuples(st.integers(1, 3), st.integers(0, 3))


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("open"), PLACES, st.sampled_from("fgh")),
            st.tuples(st.just("dup"), PLACES, PLACES),
            st.tuples(st.just("close"), PLACES),
            st.tuples(st.just("end"), st.integers(1, 3)),
            st.tuples(st.just("look"), st.integers(1, 3)),
        ),
        max_size=60,
    ),
    st.randoms(),
)
def test_followed_step_by_step_it_knows_what_the_kernel_knows(steps, random):
    """Each opening and closing is said, as the model does; each reading must give the numbers that
    were said.
    """
    kernel, known, new = Kernel(), Known(), count(1).__next__
    numbers = {}
    for what, *words in steps:
        if what == "open":
            place, thing = words
            kernel.behind[place] = (thing, (random.random(), len(numbers)))
            numbers[kernel.behind[place]] = new()
            known.note_descriptor(numbers[kernel.behind[place]], thing, place)
        elif what == "dup" and words[0] in kernel.behind:
            kernel.behind[words[1]] = kernel.behind[words[0]]
            known.note_descriptor(
                numbers[kernel.behind[words[1]]], kernel.behind[words[1]][0], words[1]
            )
        elif what == "close":
            kernel.behind.pop(words[0], None)
            known.drop_descriptor(words[0])
        elif what == "end":
            kernel.behind = {
                place: behind for place, behind in kernel.behind.items() if place[0] != words[0]
            }
            known.drop_process(words[0])
        elif what == "look":
            found = kernel.read(known, words[0], new)
            assert found == {place: numbers[kernel.behind[place]] for place in found}


def test_what_an_execve_has_closed():
    """The kernel's table can be that of the new program already, a moment before its execve is
    told.
    """
    rows = {fd: Descriptor(fd=fd, ofd=fd, cloexec=fd > 2) for fd in (0, 1, 3, 4)}
    assert is_executing(rows, (0, 1))
    assert not is_executing(rows, (0, 1, 3))
    assert not is_executing(rows, (0,))
    assert not is_executing(rows, (0, 1, 5))
    assert not is_executing({0: rows[0]}, (0,)), "nothing is missing"


def test_what_came_unseen_in_the_place_of_another_description():
    """It was the only descriptor of a description; now it is one more of another process's."""
    for order in ([10, 20, 30], [30, 20, 10], [20, 10, 30]):
        for pid, other in ((1, 2), (2, 3), (3, 1), (2, 1), (3, 2), (1, 3)):
            kernel, known, new = Kernel(), Known(), count(1).__next__
            kernel.behind = {(pid, 0): ("f", number) for pid, number in enumerate(order, 1)}
            numbers = {pid: kernel.read(known, pid, new)[pid, 0] for pid in (1, 2, 3)}
            kernel.behind[pid, 0] = kernel.behind[other, 0]
            found = kernel.read(known, pid, new)[pid, 0]
            assert found == numbers[other], (order, pid, other)
            kernel.behind[pid, 0] = ("f", 25)
            assert kernel.read(known, pid, new)[pid, 0] not in (numbers[other], found)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("open"), PLACES, st.sampled_from("fg")),
            st.tuples(st.just("dup"), PLACES, PLACES),
            st.tuples(st.just("close"), PLACES),
            st.tuples(st.just("look"), st.integers(1, 3)),
        ),
        max_size=60,
    ),
    st.randoms(),
)
def test_what_is_not_followed_is_right_once_all_tables_were_read(steps, random):
    """Nothing of what processes do is said: readings alone must find which descriptors share a
    description, and which do not.
    """
    kernel, known, new = Kernel(), Known(), count(1).__next__
    made = count()
    for what, *words in (*steps, *[("look", pid) for pid in (1, 2, 3)]):
        if what == "open":
            kernel.behind[words[0]] = (words[1], (random.random(), next(made)))
        elif what == "dup" and words[0] in kernel.behind:
            kernel.behind[words[1]] = kernel.behind[words[0]]
        elif what == "close":
            kernel.behind.pop(words[0], None)
        elif what == "look":
            kernel.read(known, words[0], new)
    found = {(pid, fd): n for pid in (1, 2, 3) for fd, n in known.list_descriptions(pid).items()}
    for one, behind in kernel.behind.items():
        for other, theirs in kernel.behind.items():
            assert (found[one] == found[other]) == (behind == theirs)
