/* Threads that sleep on a mutex, shared and private, on a condition variable, on a thread's end, on a robust mutex. */
#include "common.h"
struct shared { char space[128]; pthread_mutex_t mutex; };
static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER, guard = PTHREAD_MUTEX_INITIALIZER, robust;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int over, ids[5];
static pthread_t sleeper;
static int me(void) { return (int)syscall(SYS_gettid); }
static void *locks(void *unused) { ids[0] = me(); pthread_mutex_lock(&own); pthread_mutex_unlock(&own); return NULL; }
static void *waits(void *unused)
{
    ids[1] = me();
    pthread_mutex_lock(&guard);
    while (!over)
        pthread_cond_wait(&condition, &guard);
    pthread_mutex_unlock(&guard);
    return NULL;
}
static void *sleeps(void *unused) { ids[2] = me(); while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) usleep(1000); return NULL; }
static void *joins(void *unused) { ids[3] = me(); pthread_join(sleeper, NULL); return NULL; }
static void *robustly(void *unused) { ids[4] = me(); pthread_mutex_lock(&robust); pthread_mutex_unlock(&robust); return NULL; }
static int asleep(int tid)
{
    char path[64], text[200];
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    int fd = open(path, O_RDONLY), number = -1;
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return sscanf(text, "%d", &number) == 1 && number == SYS_futex;
}
int main(void)
{
    struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&s->mutex, &kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_PRIVATE);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &kind);
    pthread_mutex_lock(&s->mutex);
    pid_t children[2];
    for (int i = 0; i < 2; i++)
        if ((children[i] = fork()) == 0) {
            pthread_mutex_lock(&s->mutex);
            pthread_mutex_unlock(&s->mutex);
            _exit(0);
        }
    until_asleep(children[0]), until_asleep(children[1]);
    pthread_mutex_lock(&own), pthread_mutex_lock(&robust);
    pthread_t threads[4];
    CHECK(pthread_create(&sleeper, NULL, sleeps, NULL) == 0);
    CHECK(pthread_create(&threads[0], NULL, locks, NULL) == 0 && pthread_create(&threads[1], NULL, waits, NULL) == 0);
    CHECK(pthread_create(&threads[2], NULL, joins, NULL) == 0 && pthread_create(&threads[3], NULL, robustly, NULL) == 0);
    while (!__atomic_load_n(&ids[2], __ATOMIC_SEQ_CST))
        usleep(1000);
    static const int futexes[] = {0, 1, 3, 4};
    for (int i = 0; i < 4; i++)
        while (!asleep(__atomic_load_n(&ids[futexes[i]], __ATOMIC_SEQ_CST)))
            usleep(1000);
    char facts[400];
    snprintf(facts, sizeof facts,
             "pid %d\nchild0 %d\nchild1 %d\noffset %d\nlocks %d\nwaits %d\nsleeps %d\njoins %d\nrobust %d\nowner %d\n", getpid(), children[0],
             children[1], (int)((char *)&s->mutex - (char *)s), ids[0], ids[1], ids[2], ids[3], ids[4], own.__data.__owner);
    barrier("asleep", facts);
    pthread_mutex_unlock(&s->mutex), pthread_mutex_unlock(&own), pthread_mutex_unlock(&robust);
    pthread_mutex_lock(&guard);
    __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&guard);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    int status;
    while (wait(&status) > 0)
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}
