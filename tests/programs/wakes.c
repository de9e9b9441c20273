/* Two processes that wake each other, by a shared condition variable and by a System V semaphore. */
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int turn;
};

int main(void) {
    int set = semget(IPC_PRIVATE, 1, 0600);
    struct shared *s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t mutex;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&s->mutex, &mutex);
    pthread_condattr_t cond;
    pthread_condattr_init(&cond);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&s->cond, &cond);
    if (!fork()) {
        pthread_mutex_lock(&s->mutex);
        while (!s->turn)
            pthread_cond_wait(&s->cond, &s->mutex);
        pthread_mutex_unlock(&s->mutex);
        struct sembuf take = {0, -1, 0};
        semop(set, &take, 1);
        _exit(0);
    }
    usleep(300000);
    pthread_mutex_lock(&s->mutex);
    s->turn = 1;
    pthread_mutex_unlock(&s->mutex);
    pthread_cond_signal(&s->cond);
    usleep(300000);
    struct sembuf give = {0, 1, 0};
    semop(set, &give, 1);
    wait(0);
    semctl(set, 0, IPC_RMID);
    return 0;
}
