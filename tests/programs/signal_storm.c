/* Signal-heavy: a thousand acknowledged signals between parent and child by sigsuspend. */
#include "common.h"
static volatile sig_atomic_t caught;
static void count(int signo) { (void)signo; caught++; }
static void play(pid_t peer, int mine, int first)
{
    sigset_t waiting;
    sigprocmask(SIG_BLOCK, NULL, &waiting);
    sigdelset(&waiting, mine);
    int theirs = mine == SIGUSR1 ? SIGUSR2 : SIGUSR1;
    for (int i = 0; i < 500; i++) {
        if (first || i)
            kill(peer, theirs);
        while (caught <= i)
            sigsuspend(&waiting);
    }
    if (!first)
        kill(peer, theirs);
}
int main(void)
{
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGUSR2);
    sigprocmask(SIG_BLOCK, &both, NULL);
    on_signal(SIGUSR1, count, 0);
    on_signal(SIGUSR2, count, 0);
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        play(parent, SIGUSR2, 0);
        printf("child caught %d\n", (int)caught);
        return 0;
    }
    play(pid, SIGUSR1, 1);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    printf("parent caught %d\n", (int)caught);
    say_status("child", status);
    return 0;
}
