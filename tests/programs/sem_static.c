/* cflags: -static */
/* sem_init in a statically linked program: its sem_* are its own, not libc.so's. */
#include "common.h"
static sem_t empty, full;
static int slot, sum;
static void *producer(void *unused)
{
    for (int i = 1; i <= 100; i++) {
        sem_wait(&empty);
        slot = i;
        sem_post(&full);
    }
    return unused;
}
int main(void)
{
    pthread_t thread;
    sem_init(&empty, 0, 1);
    sem_init(&full, 0, 0);
    CHECK(pthread_create(&thread, NULL, producer, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        sem_wait(&full);
        sum += slot;
        sem_post(&empty);
    }
    pthread_join(thread, NULL);
    int value;
    sem_getvalue(&empty, &value);
    printf("sum %d, empty %d\n", sum, value);
    return 0;
}
