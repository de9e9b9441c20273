"""usage: sigpipe.py default|ignore REST
A writer writes lines for ever. The reader takes one, and leaves. What ends the writer?"""

import os
import signal
import sys
import time

disposition = signal.SIG_DFL if sys.argv[1] == "default" else signal.SIG_IGN
rest = float(sys.argv[2])

read_end, write_end = os.pipe()
writer = os.fork()
if writer == 0:
    os.close(read_end)  # else the writer would be a reader itself
    signal.signal(signal.SIGPIPE, disposition)  # Python ignores it unless it is told otherwise
    while True:
        try:
            os.write(write_end, b"a line\n")
        except BrokenPipeError as error:
            print(f"writer: {error.strerror}", flush=True)
            os._exit(1)
        time.sleep(rest)

reader = os.fork()
if reader == 0:
    os.close(write_end)
    line = os.read(read_end, 7).decode()
    print(f"reader: {line}", end="", flush=True)
    os._exit(0)

os.close(read_end)
os.close(write_end)
os.waitpid(reader, 0)
status = os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1])
print(f"the writer was ended by signal {-status}" if status < 0 else f"its status is {status}")
