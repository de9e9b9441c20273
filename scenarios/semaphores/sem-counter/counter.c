/* Two processes add to one counter in shared memory, `times` times each: counter TIMES no|yes */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    volatile int counter; /* volatile: no compiler may keep it in a register meanwhile */
    sem_t lock;
};

static struct shared *shared;

static void add(int times, int locked)
{
    for (int n = 0; n < times; n++) {
        if (locked)
            sem_wait(&shared->lock);
        int mine = shared->counter; /* load ... */
        shared->counter = mine + 1; /* ... and store: what shared->counter++ is, too */
        if (locked)
            sem_post(&shared->lock);
    }
}

int main(int argc, char **argv)
{
    int times = argc > 1 ? atoi(argv[1]) : 5;
    int locked = argc > 2 && strcmp(argv[2], "yes") == 0;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    if (locked)
        sem_init(&shared->lock, 1, 1); /* 1: between processes; 1: one may pass */

    for (int child = 0; child < 2; child++)
        if (fork() == 0) {
            add(times, locked);
            return 0;
        }
    while (wait(NULL) > 0)
        ;
    printf("2 x %d additions: the counter is %d\n", times, shared->counter);
    return 0;
}
