"""Sentences: each event that matters between processes, said in plain words in the field's terms.

Pure.
"""

from ipcviz.narrate.narrate import narrate
from ipcviz.narrate.provenance import interleaved_words, waiting_words
from ipcviz.narrate.semaphores import holding_words
from ipcviz.narrate.sentence import DETAIL, NOISE, STEP, TURN, Sentence
from ipcviz.narrate.steps import Outcomes, intention, stands
from ipcviz.narrate.words import count_bytes, signal_names, who

__all__ = [
    "DETAIL",
    "NOISE",
    "STEP",
    "TURN",
    "Outcomes",
    "Sentence",
    "count_bytes",
    "holding_words",
    "intention",
    "interleaved_words",
    "narrate",
    "signal_names",
    "stands",
    "waiting_words",
    "who",
]
