"""What the app remembers."""

from __future__ import annotations

from ipcviz.app.history import Log, Meter, Trail
from ipcviz.app.panels.cells import chop_text, format_gauge, format_sparkline, wrap_text
from ipcviz.narrate import TURN, Sentence


def test_a_level_holds_until_the_next_and_the_highest_is_kept():
    trail = Trail()
    trail.add_level(30.0, 5)
    trail.add_level(30.1, 90)
    trail.add_level(30.2, 10)
    columns = trail.build_columns(60.0, 120)
    assert columns[0] is None
    at = 120 - 1 - 60
    assert columns[at] == 90
    assert columns[at + 1 :] == [10] * 60
    assert trail.build_columns(60.0, 60)[-1] == 10
    assert max(v for v in trail.build_columns(60.0, 7) if v is not None) == 90


def test_cpu_use_is_that_of_the_last_second():
    meter = Meter()
    for step in range(11):
        meter.add_time(step / 10, step / 20)
    assert round(meter.compute_percent(1.0)) == 50
    assert round(meter.compute_percent(3.0)) == 0
    assert Meter().compute_percent(1.0) is None


def say(t: float, group: str = "", amount: int = 0) -> Sentence:
    return Sentence(0, t, 1, f"at {t}", group=group, amount=amount)


def test_what_recurs_is_one_entry_however_long_it_goes_on():
    log = Log()
    for step in range(1200):
        for thread in range(12):
            log.add_sentence(
                Sentence(
                    0,
                    step / 20,
                    1,
                    f"thread {thread} waits",
                    weight=TURN,
                    group=f"wait {thread}",
                    recurs=True,
                )
            )
    assert [entry.times for entry in log.entries] == [1200] * 12
    assert log.entries[0].last == 1199 / 20
    log.add_sentence(Sentence(0, 500.0, 1, "thread 1 waits", group="thread 1 waits", recurs=True))
    assert len(log.entries) == 13, "after a long time it is news"


def test_the_same_words_about_the_same_process_are_one_entry():
    log = Log()
    for step in range(6):
        log.add_sentence(Sentence(0, step / 10, 1, "blocks all signals"))
        log.add_sentence(Sentence(0, step / 10, 2, "blocks all signals"))
        log.add_sentence(Sentence(0, step / 10, 1, "was stopped", weight=TURN))
    assert [entry.times for entry in log.entries if entry.sentence.weight < TURN] == [6, 6]
    assert sum(entry.sentence.weight == TURN for entry in log.entries) == 6, (
        "a turn of the story stands by itself"
    )


def test_what_repeats_within_a_second_is_one_entry():
    log = Log()
    kept = None
    for step in range(10):
        log.add_sentence(say(step / 10, "w", 5))
        log.add_sentence(say(step / 10, "r"))
        kept = kept or log.entries[0]
    assert [(e.times, e.amount) for e in log.entries] == [(10, 50), (10, 0)]
    assert kept.times == 1, "an entry that somebody kept does not change"
    log.add_sentence(say(2.0, "w"))
    assert len(log.entries) == 3


def test_the_log_is_bounded_and_numbers_go_on():
    log = Log()
    for step in range(Log.KEPT * 2):
        log.add_sentence(say(step))
    assert len(log.entries) <= Log.KEPT * 1.1
    assert log.end == Log.KEPT * 2
    assert log.list_since(log.end - 1)[0].sentence.t == Log.KEPT * 2 - 1


def test_gauges_never_lie_at_their_ends():
    assert format_gauge(0, 65536, 10) == ("", "░" * 10)
    assert format_gauge(1, 65536, 10)[0] == "█"
    assert format_gauge(65535, 65536, 10) == ("█" * 9, "░")
    assert format_gauge(65536, 65536, 10) == ("█" * 10, "")
    assert format_gauge(5, 0, 4) == ("", "----")


def test_sparks():
    assert format_sparkline([None, 0, 1, 50, 100], 100) == ".▁▁▄█"


def test_wrapping_counts_cells():
    assert wrap_text("aa bb cc", 5) == ["aa bb", "cc"]
    assert wrap_text("abcdefgh", 3) == ["abc", "def", "gh"]
    assert chop_text("漢字漢字", 5) == ["漢字", "漢字"]
    assert wrap_text("x [/foo] \x1b[31m", 40) == ["x [/foo] \\x1b[31m"]


def test_sentences_join_the_last_entry_of_their_group_among_the_latest_only():
    log = Log()
    groups = [str(number % 97 * number % 61) for number in range(2_000)]
    expected: list[tuple[str, int]] = []
    for number, group in enumerate(groups):
        log.add_sentence(say(number / 100_000, group))
        recent = expected[-Log.LOOK_BACK :]
        back = next((i for i, (one, _) in enumerate(reversed(recent), 1) if one == group), 0)
        if back:
            expected[-back] = group, expected[-back][1] + 1
        else:
            expected.append((group, 1))
    assert [(entry.fold, entry.times) for entry in log.entries] == expected
    assert len(expected) > Log.LOOK_BACK


def test_what_is_known_of_groups_stays_little():
    log = Log()
    for number in range(5 * Log.NOTED):
        log.add_sentence(say(0.0, str(number)))
    log.add_sentence(say(0.0, str(5 * Log.NOTED - 1)))
    assert log.entries[-1].times == 2
    assert len(log._latest) <= Log.NOTED + 1
