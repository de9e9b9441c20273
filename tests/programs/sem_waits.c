/* Four processes contend for one semaphore; then waits that are cut short, go on, end in a handler, stop, and run out of time. */
#include "common.h"
static sem_t *lock, *told;
static volatile int caught;
static void counts(int signo) { caught++; }
static void posts(int signo) { sem_post(told); }
int main(void)
{
    lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(lock != MAP_FAILED && sem_init(lock, 1, 1) == 0 && sem_init(told = lock + 1, 1, 0) == 0);
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            for (int round = 0; round < 25; round++) {
                CHECK(sem_wait(lock) == 0);
                for (volatile int busy = 0; busy < 3000; busy++)
                    ;
                CHECK(sem_post(lock) == 0);
            }
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    on_signal(SIGUSR1, counts, 0), on_signal(SIGUSR2, counts, SA_RESTART), on_signal(SIGALRM, posts, SA_RESTART);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        static const int signals[] = {SIGUSR1, SIGUSR2, SIGSTOP, SIGCONT, SIGALRM};
        for (int i = 0; i < 5; i++) {
            if (signals[i] != SIGCONT)
                until_asleep(parent);
            else
                while (state_of(parent) != 'T' && state_of(parent) != 't')
                    usleep(1000);
            kill(parent, signals[i]);
        }
        _exit(0);
    }
    int cut = sem_wait(told) == -1 && errno == EINTR, got = sem_wait(told) == 0;
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 30000000, soon.tv_sec += soon.tv_nsec / 1000000000, soon.tv_nsec %= 1000000000;
    int late = sem_timedwait(told, &soon) == -1 && errno == ETIMEDOUT;
    while (wait(NULL) > 0)
        ;
    printf("cut short %d, got %d, too late %d, caught %d\n", cut, got, late, caught);
    return 0;
}
