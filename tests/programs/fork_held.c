/* Children of a process with threads, each at a lock whose holder has not come along: which one, the first argument tells.

   Those of libc that fork(3) takes care of are met by the system call itself. */
#include "common.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t *shared;
static sem_t semaphore, ready;
static pthread_t holder;

static void *hold(void *unused)
{
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&lock);
    pthread_mutex_lock(shared);
    sem_wait(&semaphore);
    flockfile(stderr);
    sem_post(&ready);
    for (;;)
        pause();
}

static void wait_for(const char *what)
{
    if (!strcmp(what, "mutex"))
        pthread_mutex_lock(&mutex);
    else if (!strcmp(what, "rwlock"))
        pthread_rwlock_rdlock(&lock);
    else if (!strcmp(what, "semaphore"))
        sem_wait(&semaphore);
    else if (!strcmp(what, "stdio"))
        flockfile(stderr);
    else if (!strcmp(what, "join"))
        pthread_join(holder, NULL);
    else if (!strcmp(what, "own"))
        pthread_mutex_lock(&own);
    else if (!strcmp(what, "shared"))
        pthread_mutex_lock(shared);
}

int main(int argc, char **argv)
{
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(shared, &how);
    CHECK(sem_init(&semaphore, 0, 1) == 0 && sem_init(&ready, 0, 0) == 0);
    CHECK(pthread_create(&holder, NULL, hold, NULL) == 0);
    sem_wait(&ready);
    pthread_mutex_lock(&own);
    int raw = !strcmp(argv[1], "stdio") || !strcmp(argv[1], "join");
    if (raw ? syscall(SYS_fork) == 0 : fork() == 0) {
        wait_for(argv[1]);
        _exit(0);
    }
    wait(NULL);
    return 0;
}
