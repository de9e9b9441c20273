/* Descriptors by open, pipe, dup2, dup3, fcntl, close-on-exec, fork, exec; parent, child and executed child wait. */
#include "common.h"
static void tell(const char *name)
{
    char facts[64];
    snprintf(facts, sizeof facts, "pid %d\n", getpid());
    barrier(name, facts);
}
int main(int argc, char **argv)
{
    if (argc > 1) {
        close(30);
        CHECK(open("file", O_RDONLY) >= 0);
        tell("executed");
        return 0;
    }
    int ends[2], pair[2];
    CHECK(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    int file = open("file", O_RDWR | O_CREAT | O_APPEND, 0600), again = open("file", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0 && again >= 0);
    CHECK(dup2(ends[0], 20) == 20 && dup3(ends[1], 21, O_CLOEXEC) == 21);
    CHECK(dup2(file, again) == again);              /* closes `again` and clears its close-on-exec */
    CHECK(dup2(20, 20) == 20);                      /* does nothing */
    CHECK(fcntl(ends[1], F_DUPFD, 30) == 30);
    CHECK(fcntl(ends[1], F_DUPFD_CLOEXEC, 30) == 31);
    CHECK(fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0);
    CHECK(fcntl(30, F_SETFL, fcntl(30, F_GETFL) | O_NONBLOCK) == 0);
    close(0);
    CHECK(open("/dev/zero", O_RDWR) == 0);
    pid_t forked = fork();
    if (forked == 0) {
        close(20);
        tell("forked");
        return 0;
    }
    pid_t executed = fork();
    if (executed == 0)
        execl(argv[0], argv[0], "executed", (char *)NULL);
    close(30);
    tell("parent");
    while (wait(NULL) > 0)
        ;
    return 0;
}
