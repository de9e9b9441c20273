/* Signals with exact results: EINTR, restart, a partial write, real-time queueing, coalescing. */
#include "common.h"
static volatile sig_atomic_t caught, order[64], values[64];
static void count(int signo) { (void)signo; caught++; }
static void queued(int signo, siginfo_t *info, void *context)
{
    (void)context;
    order[caught] = signo - SIGRTMIN;
    values[caught++] = info->si_value.sival_int;
}
static pid_t helper(void (*what)(pid_t, int), int fd)
{
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        until_asleep(parent);
        what(parent, fd);
        _exit(0);
    }
    return pid;
}
static void kill_then_write(pid_t parent, int fd)
{
    kill(parent, SIGUSR1);
    usleep(20000);
    until_asleep(parent);
    CHECK(write(fd, "late", 4) == 4);
}
static void just_kill(pid_t parent, int fd) { (void)fd; kill(parent, SIGUSR1); }
int main(void)
{
    int ends[2], status;
    char buffer[16];
    CHECK(pipe(ends) == 0);
    on_signal(SIGUSR1, count, 0);
    helper(just_kill, 0);
    ssize_t n = read(ends[0], buffer, sizeof buffer);
    printf("read without SA_RESTART: %zd %s, caught %d\n", n, n < 0 ? strerror(errno) : "", (int)caught);
    wait(&status);

    caught = 0;
    on_signal(SIGUSR1, count, SA_RESTART);
    helper(kill_then_write, ends[1]);
    n = read(ends[0], buffer, sizeof buffer);
    printf("read with SA_RESTART: %zd, caught %d\n", n, (int)caught);
    wait(&status);

    caught = 0;
    char *big = calloc(1, 300000);
    helper(just_kill, 0);
    n = write(ends[1], big, 300000);
    printf("write of 300000 cut short: %zd, caught %d\n", n, (int)caught);
    wait(&status);

    caught = 0;
    sigset_t set, old;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, &old);
    for (int i = 0; i < 20; i++)
        kill(getpid(), SIGUSR1);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("20 blocked SIGUSR1 became %d\n", (int)caught);

    caught = 0;
    struct sigaction action = {.sa_sigaction = queued, .sa_flags = SA_SIGINFO};
    sigfillset(&action.sa_mask);
    for (int i = 0; i < 3; i++)
        sigaction(SIGRTMIN + i, &action, NULL);
    sigprocmask(SIG_SETMASK, &set, &old);
    for (int i = 0; i < 12; i++)
        sigqueue(getpid(), SIGRTMIN + 2 - i % 3, (union sigval){.sival_int = i});
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("12 queued:");
    for (int i = 0; i < caught; i++)
        printf(" %d/%d", (int)order[i], (int)values[i]);
    puts("");
    return 0;
}
