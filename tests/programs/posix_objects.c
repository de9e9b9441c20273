/* POSIX queue by priority, a named semaphore, a shared memory object: made, used by a child, unlinked. */
#include "common.h"
#include <mqueue.h>
int main(void)
{
    char name[64], text[32];
    unsigned priority;
    snprintf(name, sizeof name, "/ipcviz-test-%d", getpid());
    struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 32};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    CHECK(queue != (mqd_t)-1);
    sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    CHECK(sem != SEM_FAILED);
    int shm = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(shm >= 0 && ftruncate(shm, 4096) == 0);
    int *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, shm, 0);
    pid_t pid = fork();
    if (pid == 0) {
        sem_t *again = sem_open(name, 0);
        *memory = 4711;
        mq_send(queue, "low", 4, 1);
        mq_send(queue, "high", 5, 9);
        sem_post(again);
        _exit(0);
    }
    CHECK(sem_wait(sem) == 0);
    printf("memory %d\n", *memory);
    for (int i = 0; i < 2; i++) {
        CHECK(mq_receive(queue, text, sizeof text, &priority) > 0);
        printf("%s %u\n", text, priority);
    }
    wait(NULL);
    mq_unlink(name);
    sem_unlink(name);
    shm_unlink(name);
    return 0;
}
