#!/bin/bash
# usage: sigpipe.sh default|ignore
# yes writes lines for ever. head takes one, and leaves. What ends yes?
if [ "$1" = ignore ]; then
    trap '' PIPE # what the shell ignores is ignored in the programs that it executes, too
fi
yes | head -n 1
echo "yes ended with status ${PIPESTATUS[0]}, head with ${PIPESTATUS[1]}"
