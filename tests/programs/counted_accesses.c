/* cflags: -g */
/* Loads and stores of one variable of one size, by one thread, two, or two processes, in turns: says how many. */
#include "common.h"

#ifndef SIZE
#define SIZE uint32_t
#endif

struct shared {
    volatile SIZE value;
    sem_t turn[2];
};
static struct shared *shared;
static int turns, both;

static void *add(void *argument)
{
    int me = argument != NULL;
    for (int n = 0; n < turns; n++) {
        if (both)
            sem_wait(&shared->turn[me]);
        shared->value = shared->value + 3; /* LINE add */
        if (both)
            sem_post(&shared->turn[!me]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *who = argc > 2 ? argv[2] : "alone";
    turns = atoi(argv[1]);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    sem_init(&shared->turn[0], 1, 1);
    sem_init(&shared->turn[1], 1, 0);
    if (!strcmp(who, "stopped")) {
        printf("%p\n", (void *)&shared->value);
        fflush(stdout);
        raise(SIGSTOP);
    }
    both = !strcmp(who, "threads") || !strcmp(who, "processes");
    pthread_t thread;
    pid_t child = 0;
    if (!strcmp(who, "threads"))
        CHECK(pthread_create(&thread, NULL, add, &thread) == 0);
    else if (both && (child = fork()) == 0) {
        add(&thread);
        return 0;
    }
    add(NULL);
    if (!strcmp(who, "threads"))
        pthread_join(thread, NULL);
    else if (both)
        CHECK(waitpid(child, NULL, 0) == child);
    return 0;
}
