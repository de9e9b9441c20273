/* Descriptor tables: dup2 onto itself and others, F_DUPFD, close_range with and without CLOEXEC and UNSHARE. */
#include "common.h"
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
#endif
static void list(const char *when)
{
    printf("%s:", when);
    for (int fd = 3; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0)
            printf(" %d%s", fd, flags & FD_CLOEXEC ? "c" : "");
    }
    puts("");
}
int main(int argc, char **argv)
{
    if (argc > 1) {
        list("after exec");
        return 0;
    }
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(dup2(ends[0], 20) == 20 && dup2(20, 20) == 20);
    CHECK(dup3(ends[1], 21, O_CLOEXEC) == 21);
    CHECK(fcntl(ends[1], F_DUPFD, 30) == 30 && fcntl(ends[1], F_DUPFD_CLOEXEC, 30) == 31);
    CHECK(dup3(5, 5, 0) < 0 && dup2(60, 61) < 0);
    list("dup'ed");
    CHECK(syscall(SYS_close_range, 20, 20, 0) == 0);
    CHECK(syscall(SYS_close_range, 30, 40, CLOSE_RANGE_CLOEXEC) == 0);
    list("closed 20, close-on-exec from 30");
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(syscall(SYS_close_range, 30, ~0U, CLOSE_RANGE_UNSHARE) == 0);
        list("child");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    list("parent");
    fflush(stdout);
    execl(argv[0], argv[0], "again", (char *)NULL);
    return 98;
}
