#!/bin/sh
# usage: pipeline.sh [KILOBYTES]
# Compresses a file in a pipeline of two programs, and says what became of it.
size=${1:-60000}
trap 'rm -f file file.gz' EXIT
trap 'exit 1' HUP INT TERM

# A file to work on: numbers of nine digits and a newline each, 100 lines to a kilobyte.
seq 100000000 $((99999999 + size * 100)) > file

# One line of shell: a pipe, two processes, and each has only its own end of the pipe.
cat file | gzip -c9 > file.gz

echo "status of the pipeline: $?"
wc -c file file.gz
