/* Waits in memory for what nobody is left to do (ended, died, twice_asleep), or for what somebody does late (late, posted). */
#include "common.h"
#include <sys/wait.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static int done;

static void *work(void *late)
{
    if (!late)
        return NULL;
    sleep(3);
    pthread_mutex_lock(&mutex);
    done = 1;
    pthread_cond_signal(&ready);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *rest(void *unused)
{
    pthread_mutex_lock(&mutex);
    while (!done)
        pthread_cond_wait(&ready, &mutex);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static int hand_over(int late)
{
    sem_t *full = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(full != MAP_FAILED && sem_init(full, 1, 0) == 0);
    if (fork() == 0) {
        if (late)
            sleep(3), sem_post(full);
        _exit(!late);
    }
    while (sem_wait(full) && errno == EINTR)
        ;
    return wait(NULL) < 0;
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    pthread_t thread;
    int late = !strcmp(argv[1], "late");
    if (!strcmp(argv[1], "died") || !strcmp(argv[1], "posted"))
        return hand_over(*argv[1] == 'p');
    CHECK(pthread_create(&thread, NULL, strcmp(argv[1], "twice_asleep") ? work : rest, late ? &done : NULL) == 0);
    rest(NULL);
    pthread_join(thread, NULL);
    return 0;
}
