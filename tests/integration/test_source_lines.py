"""The source lines of threads at rest, against what the sources themselves are marked with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ipcviz.events import Inspect, Located, Waiting
from ipcviz.kernel import python_frames
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration.harness import SOURCES
from tests.integration.stepper import Stepper
from tests.integration.test_debug_info import marked_lines

SCRIPT = '''\
import os

there, back = os.pipe(), os.pipe()


def answer():
    os.read(there[0], 1)  # line: child reads
    os.write(back[1], b"b")  # line: child writes


if os.fork() == 0:  # line: fork
    answer()
    os._exit(0)
os.write(there[1], b"a")  # line: parent writes
os.read(back[0], 1)  # line: parent reads
os.wait()  # line: wait
'''
