/* Threads asleep on read-write locks (held for writing, for reading), at a barrier, and on mutexes whose owners have ended. */
#include "common.h"
struct shared { char space[64]; pthread_mutex_t robust; pthread_rwlock_t lock; };
static struct shared *s;
static pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER, read_by = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier3;
static pthread_mutex_t left = PTHREAD_MUTEX_INITIALIZER;
static int ids[8], owner;
static int me(void) { return (int)syscall(SYS_gettid); }
static void *reads(void *unused) { ids[0] = me(); pthread_rwlock_rdlock(&written); pthread_rwlock_unlock(&written); return NULL; }
static void *writes(void *unused) { ids[1] = me(); pthread_rwlock_wrlock(&written); pthread_rwlock_unlock(&written); return NULL; }
static void *first(void *unused) { ids[2] = me(); pthread_rwlock_wrlock(&read_by); pthread_rwlock_unlock(&read_by); return NULL; }
static void *second(void *unused) { ids[3] = me(); pthread_rwlock_wrlock(&read_by); pthread_rwlock_unlock(&read_by); return NULL; }
static void *meets(void *which) { ids[(long)which] = me(); pthread_barrier_wait(&barrier3); return NULL; }
static void *leaves(void *unused) { owner = me(); pthread_mutex_lock(&left); return NULL; }
static void *hopes(void *unused) { ids[6] = me(); pthread_mutex_lock(&left); return NULL; }
static int asleep(int tid)
{
    char path[64], text[200];
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", getpid(), tid);
    int fd = open(path, O_RDONLY), number = -1;
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return sscanf(text, "%d", &number) == 1 && number == SYS_futex;
}
static void start(int which, void *(*run)(void *))
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, (void *)(long)which) == 0);
    while (!asleep(__atomic_load_n(&ids[which], __ATOMIC_SEQ_CST)))
        usleep(1000);
}
int main(void)
{
    s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&s->robust, &kind);
    pthread_rwlockattr_t how;
    pthread_rwlockattr_init(&how);
    pthread_rwlockattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&s->lock, &how);
    pthread_barrier_init(&barrier3, NULL, 3);
    int ends[2];
    char c;
    CHECK(pipe(ends) == 0);
    pid_t holder = fork();
    if (holder == 0) {
        CHECK(pthread_mutex_lock(&s->robust) == 0 && pthread_rwlock_wrlock(&s->lock) == 0 && write(ends[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    CHECK(read(ends[0], &c, 1) == 1);
    pid_t robust = fork();
    if (robust == 0)
        _exit(pthread_mutex_lock(&s->robust) != EOWNERDEAD);
    pid_t shared = fork();
    if (shared == 0) {
        pthread_rwlock_rdlock(&s->lock);
        _exit(0);
    }
    until_asleep(robust), until_asleep(shared);
    pthread_rwlock_wrlock(&written), pthread_rwlock_rdlock(&read_by);
    start(0, reads), start(1, writes), start(2, first), start(3, second), start(4, meets), start(5, meets);
    pthread_t ended;
    CHECK(pthread_create(&ended, NULL, leaves, NULL) == 0 && pthread_join(ended, NULL) == 0);
    start(6, hopes);
    char facts[400];
    snprintf(facts, sizeof facts,
             "pid %d\nholder %d\nrobust %d\nshared %d\nreads %d\nwrites %d\nfirst %d\nsecond %d\nmeets %d\nlast %d\nhopes %d\nowner %d\n", getpid(),
             holder, robust, shared, ids[0], ids[1], ids[2], ids[3], ids[4], ids[5], ids[6], owner);
    barrier("asleep", facts);
    int status;
    CHECK(kill(holder, SIGKILL) == 0 && waitpid(holder, &status, 0) == holder);
    CHECK(waitpid(robust, &status, 0) == robust && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    barrier("orphaned", "");
    kill(shared, SIGKILL);
    CHECK(waitpid(shared, &status, 0) == shared);
    return 0;
}
