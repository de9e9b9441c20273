/* Writing to a pipe and a socket without a reader: SIGPIPE by default, EPIPE when ignored, MSG_NOSIGNAL. */
#include "common.h"
int main(void)
{
    int ends[2], pair[2], status;
    CHECK(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    close(ends[0]);
    close(pair[0]);
    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            if (i & 1)
                signal(SIGPIPE, SIG_IGN);
            ssize_t n = i < 2 ? write(ends[1], "x", 1) : send(pair[1], "x", 1, 0);
            _exit(n < 0 ? errno : 0);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        say_status(i < 2 ? "pipe" : "socket", status);
    }
    printf("MSG_NOSIGNAL: %zd\n", send(pair[1], "x", 1, MSG_NOSIGNAL));
    fflush(stdout);
    write(ends[1], "x", 1);
    return 98;
}
