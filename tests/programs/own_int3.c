/* A program with breakpoints of its own gets its SIGTRAPs, and a raised one, in order. */
#include "common.h"
static volatile sig_atomic_t caught, codes[8];
static void note(int signo, siginfo_t *info, void *context) { (void)signo, (void)context; codes[caught++] = info->si_code; }
int main(void)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
#if defined __x86_64__
    __asm__ volatile("int3");
#elif defined __aarch64__
    raise(SIGTRAP);
#endif
    raise(SIGTRAP);
    sem_t sem;
    sem_init(&sem, 0, 0);
    sem_post(&sem);
    sem_wait(&sem);
    printf("caught %d:", (int)caught);
    for (int i = 0; i < caught; i++)
        printf(" %d", (int)codes[i]);
    puts("");
    fflush(stdout);
    signal(SIGTRAP, SIG_DFL);
    raise(SIGTRAP);
    return 98;
}
