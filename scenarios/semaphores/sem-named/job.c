/* usage: job NAME once|crash [create|exclusive|mode]
 * Work that only one process may do at a time: they agree by the name of a semaphore. */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static sem_t *open_lock(const char *name, const char *how)
{
    if (strcmp(how, "mode") == 0) /* wrong: the third argument is the mode, and MAP_SHARED is 0001 */
        return sem_open(name, O_CREAT, MAP_SHARED, 1);
    if (strcmp(how, "create") == 0) /* 1 is for a new one: one that exists keeps its value */
        return sem_open(name, O_CREAT, 0600, 1);
    sem_t *lock = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    if (lock == SEM_FAILED && errno == EEXIST) {
        printf("left behind by an earlier run: removed\n");
        sem_unlink(name); /* only right while no other run is at work */
        lock = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    }
    return lock;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "/ipcviz-job";
    const char *end = argc > 2 ? argv[2] : "once";
    setvbuf(stdout, NULL, _IOLBF, 0);

    sem_t *lock = open_lock(name, argc > 3 ? argv[3] : "create");
    if (lock == SEM_FAILED) {
        perror("sem_open");
        return 1;
    }
    sem_wait(lock);
    printf("at work\n");
    if (strcmp(end, "crash") == 0)
        kill(getpid(), SIGKILL); /* as a crash would: sem_post is never reached */
    sem_post(lock);
    sem_close(lock); /* the name stays: it is not this process's */
    return 0;
}
