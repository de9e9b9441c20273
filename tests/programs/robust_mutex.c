/* A process-shared robust mutex whose owner is killed; a condition variable between processes. */
#include "common.h"
struct shared { pthread_mutex_t mutex; pthread_cond_t cond; int ready; };
int main(void)
{
    struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t ma;
    pthread_condattr_t ca;
    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
    pthread_condattr_init(&ca);
    pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&s->mutex, &ma);
    pthread_cond_init(&s->cond, &ca);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(&s->mutex);
        s->ready = 1;
        pthread_cond_signal(&s->cond);
        while (s->ready != 2)
            pthread_cond_wait(&s->cond, &s->mutex);
        raise(SIGKILL);
    }
    pthread_mutex_lock(&s->mutex);
    while (!s->ready)
        pthread_cond_wait(&s->cond, &s->mutex);
    s->ready = 2;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    say_status("owner", status);
    printf("lock: %s\n", pthread_mutex_lock(&s->mutex) == EOWNERDEAD ? "owner died" : "?");
    return 0;
}
