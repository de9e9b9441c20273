#!/bin/sh
# /proc looks like files on a disk; what is read there the kernel makes at that moment.
sleep 60 & worker=$!
ls -s /proc/loadavg # so many blocks it has on a disk
cat /proc/loadavg
cat /proc/loadavg # the last number is that of the newest process: of this cat
grep State /proc/$worker/status
kill $worker
wait $worker 2> /dev/null
cat /proc/$worker/status || echo "there is no such process any more"
grep pgfault /proc/vmstat # page faults since the boot
