/* Children of a process with threads, each at a lock whose holder has not come along: which one, the first argument tells.

   Those of libc that fork(3) takes care of are met by the system call itself. */
#include "common.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t *shared;
static sem_t semaphore, ready;
static int tells;
static pthread_t holder;

static void *hold(void *unused)
{
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&lock);
    pthread_mutex_lock(shared);
    sem_wait(&semaphore);
    if (!tells)
        flockfile(stderr);
    sem_post(&ready);
    for (;;)
        pause();
}

#ifdef __GLIBC__
/* malloc_stats(3) prints while it has the arena locked: here for ever, into a pipe that is full. */
static volatile pid_t teller;

static void *hold_arena(void *unused)
{
    teller = syscall(SYS_gettid);
    malloc_stats();
    return unused;
}

static void have_arena_held(void)
{
    int ends[2];
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    while (write(ends[1], "x", 1) == 1)
        ;
    CHECK(fcntl(ends[1], F_SETFL, 0) == 0 && dup2(ends[1], 2) == 2);
    CHECK(pthread_create(&holder, NULL, hold_arena, NULL) == 0);
    while (!teller || state_of(teller) != 'S')
        ;
}
#endif

static void wait_for(const char *what)
{
    char *volatile room;
    if (!strcmp(what, "malloc"))
        free((room = malloc(4000)));
    else if (!strcmp(what, "mutex"))
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
    tells = !strcmp(argv[1], "malloc");
    CHECK(sem_init(&semaphore, 0, 1) == 0 && sem_init(&ready, 0, 0) == 0);
    CHECK(pthread_create(&holder, NULL, hold, NULL) == 0);
    sem_wait(&ready);
    pthread_mutex_lock(&own);
#ifdef __GLIBC__
    if (tells)
        have_arena_held();
#endif
    int raw = !strcmp(argv[1], "stdio") || !strcmp(argv[1], "join") || tells;
    if (raw ? syscall(SYS_fork) == 0 : fork() == 0) {
        wait_for(argv[1]);
        _exit(0);
    }
    wait(NULL);
    return 0;
}
