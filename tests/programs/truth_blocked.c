/* A child writes ten-byte lines until it blocks: the ring is full while FIONREAD is short of the capacity. */
#include "common.h"
int main(void)
{
    int ends[2], queued, before = -1;
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        for (;;)
            CHECK(write(ends[1], "0123456789", 10) == 10);
    }
    close(ends[1]);
    for (;;) {
        until_asleep(pid);
        CHECK(ioctl(ends[0], FIONREAD, &queued) == 0);
        if (queued == before && queued > 60000)
            break;
        before = queued;
    }
    char facts[200];
    snprintf(facts, sizeof facts, "pid %d\nread %d\nwriter %d\nwrite %d\nqueued %d\ncapacity %d\n", getpid(), ends[0], pid, ends[1],
             queued, fcntl(ends[0], F_GETPIPE_SZ));
    barrier("blocked", facts);
    close(ends[0]);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    say_status("writer", status);
    return 0;
}
