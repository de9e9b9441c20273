/* Masks by process and thread, dispositions, and what is pending for each; a thread in a handler. */
#include "common.h"
static pid_t tids[2];
static volatile int inside;
static void linger(int signo)
{
    (void)signo;
    inside = 1;
    for (;;)
        pause();
}
static void *thread(void *unused)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN + 3);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    tids[1] = syscall(SYS_gettid);
    for (;;)
        pause();
    return unused;
}
int main(void)
{
    sigset_t set;
    pthread_t id;
    tids[0] = getpid();
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    on_signal(SIGTERM, linger, SA_RESTART);
    struct sigaction action = {.sa_handler = linger, .sa_flags = SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGWINCH);
    sigaction(SIGUSR1, &action, NULL);
    CHECK(pthread_create(&id, NULL, thread, NULL) == 0);
    while (!tids[1])
        usleep(1000);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR2);
    pthread_kill(id, SIGRTMIN + 3);
    raise(SIGTERM);
    pthread_kill(id, SIGUSR1);
    while (!inside)
        usleep(1000);
    char facts[100];
    snprintf(facts, sizeof facts, "pid %d\nthread %d\n", tids[0], tids[1]);
    barrier("signals", facts);
    return 0;
}
