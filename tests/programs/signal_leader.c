/* A thread sends its own process signals while the leading thread sleeps: that thread has them, each time. (Once in
   some runs the other thread has them all, on a busy machine, alone too: so it is tried a few times.) */
#include "common.h"
static volatile sig_atomic_t leader, other;
static void count(int signo)
{
    (void)signo;
    if (syscall(SYS_gettid) == getpid())
        leader++;
    else
        other++;
}
static void *sender(void *unused)
{
    for (int i = 0; i < 50; i++) {
        int before = leader + other;
        kill(getpid(), SIGUSR1);
        while (leader + other == before)
            usleep(200);
    }
    return unused;
}
int main(void)
{
    pthread_t thread;
    on_signal(SIGUSR1, count, 0);
    for (int tries = 0; tries < 4 && leader < 50; tries++) {
        leader = other = 0;
        CHECK(pthread_create(&thread, NULL, sender, NULL) == 0);
        while (leader + other < 50)
            usleep(1000);
        pthread_join(thread, NULL);
    }
    printf("leader %d, other %d\n", (int)leader, (int)other);
    return 0;
}
