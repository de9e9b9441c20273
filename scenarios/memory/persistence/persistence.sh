#!/bin/sh
# persistence.sh PYTHON FOLDER NAME: one process writes and ends, then another one looks what is left
"$1" "$2/writer.py" "${3:-/persistence}"
exec "$1" "$2/finder.py" "${3:-/persistence}"
