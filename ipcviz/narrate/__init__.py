"""Sentences: each event that matters between processes, said in plain words in the field's terms.

Pure.
"""

from ipcviz.narrate.narrate import narrate
from ipcviz.narrate.provenance import describe_interleaving, describe_waiting_bytes
from ipcviz.narrate.semaphores import describe_holding
from ipcviz.narrate.sentence import DETAIL, NOISE, STEP, TURN, Sentence
from ipcviz.narrate.steps import Outcomes, describe_intention, describe_stand
from ipcviz.narrate.words import count_bytes, name_process, signal_names

__all__ = [
    "DETAIL",
    "NOISE",
    "STEP",
    "TURN",
    "Outcomes",
    "Sentence",
    "count_bytes",
    "describe_holding",
    "describe_intention",
    "describe_interleaving",
    "describe_stand",
    "describe_waiting_bytes",
    "name_process",
    "narrate",
    "signal_names",
]
