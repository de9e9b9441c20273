/* More data calls than are looked at one by one, so that its calls are only sampled; then it sets what it does with
   SIGUSR1 time and again, and each time gets one at once while it waits on a socket: ignored, that must not be felt.
   ignores_late [barrier NAME] */
#include "common.h"

static void ignore_nothing(int signo)
{
    (void)signo;
}

int main(int argc, char **argv)
{
    enum { READS = 12000, TIMES = 12 };
    char byte;
    int pair[2], null = open("/dev/null", O_RDONLY), early = 0;
    struct timeval limit = {0, 60000};
    if (argc > 2)
        barrier(argv[2], "");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    for (int i = 0; i < READS; i++)
        CHECK(read(null, &byte, 1) == 0);
    for (int i = 0; i < TIMES; i++) {
        signal(SIGUSR1, i % 2 ? ignore_nothing : SIG_IGN);
        pid_t friend = fork();
        CHECK(friend >= 0);
        if (friend == 0) {
            usleep(5000);
            kill(getppid(), SIGUSR1);
            _exit(0);
        }
        errno = 0;
        CHECK(recv(pair[0], &byte, 1, 0) == -1);
        /* signal(7): a call on a socket with a limit is not begun again after a handler. */
        early += errno != (i % 2 ? EINTR : EAGAIN);
        waitpid(friend, NULL, 0);
    }
    printf("%d felt otherwise than alone\n", early);
    return 0;
}
