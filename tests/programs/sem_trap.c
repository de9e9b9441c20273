/* Semaphores while SIGTRAP is blocked, ignored, or caught: nothing of that may change, nothing be delivered. */
#include "common.h"
static volatile sig_atomic_t caught;
static void count(int signo) { (void)signo; caught++; }
static void use(const char *how)
{
    sem_t sem;
    int value, failed = 0;
    sem_init(&sem, 0, 0);
    for (int i = 0; i < 20; i++) {
        failed |= sem_post(&sem);
        failed |= sem_wait(&sem);
    }
    sem_getvalue(&sem, &value);
    sem_destroy(&sem);
    sigset_t mask, pending;
    struct sigaction action;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigpending(&pending);
    sigaction(SIGTRAP, NULL, &action);
    printf("%s: failed %d, value %d, blocked %d, pending %d, ignored %d, handler %d, caught %d\n", how, failed, value,
           sigismember(&mask, SIGTRAP), sigismember(&pending, SIGTRAP), action.sa_handler == SIG_IGN,
           action.sa_handler == count, (int)caught);
}
int main(void)
{
    sigset_t trap;
    sigemptyset(&trap);
    sigaddset(&trap, SIGTRAP);
    use("default");
    signal(SIGTRAP, SIG_IGN);
    use("ignored");
    sigprocmask(SIG_BLOCK, &trap, NULL);
    use("ignored and blocked");
    on_signal(SIGTRAP, count, 0);
    use("caught and blocked");
    kill(getpid(), SIGTRAP);
    use("caught, blocked and pending");
    sigprocmask(SIG_UNBLOCK, &trap, NULL);
    use("caught");
    return 0;
}
