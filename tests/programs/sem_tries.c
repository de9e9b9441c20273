/* Two processes on one CPU that take a semaphore by sem_trywait as often as they can: one is overtaken now and then. */
#include "common.h"
struct shared { sem_t one; sem_t done; };
int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 100, got = 0;
    cpu_set_t one;
    CHECK(sched_getaffinity(0, sizeof one, &one) == 0);
    for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &one) && kept++)
            CPU_CLR(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(s != MAP_FAILED && sem_init(&s->one, 1, 1) == 0);
    pid_t pid = fork();
    for (int i = 0; i < rounds; i++) {
        if (sem_trywait(&s->one) == 0)
            got++, sem_post(&s->one);
        if (i % 10 == 0)
            sched_yield();
    }
    char line[40];
    int n = snprintf(line, sizeof line, "%d got %d\n", getpid(), got), status;
    CHECK(write(1, line, n) == n);
    if (pid == 0)
        _exit(0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    return 0;
}
