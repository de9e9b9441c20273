"""usage: cron.py PAUSE
The folder says when: what lies in hourly is run each hour, in daily each day, of two hours here."""

import os
import sys
import time

pause = float(sys.argv[1])


def add_job(folder, name, script):
    # Under a name with a dot, which cron passes over: so it never runs half a job.
    with open(f"{folder}/{name}.part", "w") as job:
        job.write(script)
    os.rename(f"{folder}/{name}.part", f"{folder}/{name}")


def add_jobs():
    add_job("hourly", "rotate", "echo hourly: rotate the logs\n")
    add_job("daily", "backup", "echo daily: make a backup\n")


def run_jobs(folder):
    for name in sorted(os.listdir(folder)):
        if "." not in name:
            os.spawnlp(os.P_WAIT, "sh", "sh", f"{folder}/{name}")


def run_a_day():
    for _ in range(2):
        time.sleep(pause)
        run_jobs("hourly")
    run_jobs("daily")


def start(function):
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    return pid


for folder in ("hourly", "daily"):
    os.mkdir(folder)
for pid in start(add_jobs), start(run_a_day):
    os.waitpid(pid, 0)
for folder in ("hourly", "daily"):
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)
