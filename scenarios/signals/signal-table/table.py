"""usage: table.py [TIMES]
Two signals are blocked, and sent TIMES times each. What is left of them?"""

import ctypes
import os
import signal
import sys

times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
libc = ctypes.CDLL(None)  # Python has no sigqueue, which sends a number along

# What is to become of each signal: the table of dispositions.
signal.signal(signal.SIGUSR2, lambda signo, frame: None)  # caught
signal.signal(signal.SIGQUIT, signal.SIG_IGN)  # ignored: it is never even pending
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the default: it ends the process

both = {signal.SIGUSR1, signal.SIGRTMIN}
signal.pthread_sigmask(signal.SIG_BLOCK, both)  # kept until they are wanted

receiver = os.getpid()
if os.fork() == 0:
    for n in range(1, times + 1):
        os.kill(receiver, signal.SIGUSR1)
        libc.sigqueue(receiver, int(signal.SIGRTMIN), ctypes.c_void_p(n))
    os._exit(0)
os.wait()

print(f"pending: {' '.join(sorted(s.name for s in signal.sigpending()))}", flush=True)
while info := signal.sigtimedwait(both, 0):  # takes one that is pending
    print(f"taken: {signal.Signals(info.si_signo).name}", flush=True)
