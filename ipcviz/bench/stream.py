"""How many events a second the model and the stream take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from ipcviz.bench.measure import Measurement, measure_time
from ipcviz.events import Event
from ipcviz.model.reduce import reduce_all
from ipcviz.tracer.emitter import FLUSH_EVENTS
from ipcviz.tracer.wire import Unframer, frame_body


def measure_rates(rounds: int, events: Sequence[Event]) -> tuple[Measurement, Measurement]:
    """Events a second through `reduce`, and through the stream: encoded, framed, unframed and
    decoded in batches.
    """
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(list[Event])
    batches = [events[i : i + FLUSH_EVENTS] for i in range(0, len(events), FLUSH_EVENTS)]

    def through() -> None:
        unframer = Unframer()
        for batch in batches:
            for body in unframer.feed(frame_body(encoder.encode(batch))):
                decoder.decode(body)

    reduced = [len(events) / measure_time(lambda: reduce_all(events)) for _ in range(rounds)]
    streamed = [len(events) / measure_time(through) for _ in range(rounds)]
    return (
        Measurement(
            name="events through reduce", unit="1/s", ours=statistics.median(reduced), pairs=rounds
        ),
        Measurement(
            name="events through the stream",
            unit="1/s",
            ours=statistics.median(streamed),
            pairs=rounds,
        ),
    )
