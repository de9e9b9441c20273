/* Ways to wait: WNOWAIT, ignored SIGCHLD, SA_NOCLDWAIT, an orphan to a subreaper, a parent's-death signal. */
#include "common.h"
int main(void)
{
    siginfo_t info;
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(6);
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    printf("waitid: code %d, status %d\n", info.si_code, info.si_status);
    CHECK(waitpid(pid, &status, 0) == pid);
    signal(SIGCHLD, SIG_IGN);
    if ((pid = fork()) == 0)
        _exit(7);
    int r = waitpid(pid, &status, 0);
    printf("SIGCHLD ignored: %d %s\n", r, strerror(errno));
    signal(SIGCHLD, SIG_DFL);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    if ((pid = fork()) == 0) {
        if (fork() == 0) {
            usleep(30000);
            _exit(8);
        }
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(waitpid(-1, &status, 0) > 0);
    say_status("orphan", status);
    if ((pid = fork()) == 0) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            CHECK(write(ends[1], "x", 1) == 1);
            for (;;)
                pause();
        }
        char c;
        CHECK(read(ends[0], &c, 1) == 1);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(waitpid(-1, &status, 0) > 0);
    say_status("orphan with a death signal", status);
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &action, NULL);
    if ((pid = fork()) == 0)
        _exit(0);
    printf("SA_NOCLDWAIT: %d\n", wait(&status));
    return 0;
}
