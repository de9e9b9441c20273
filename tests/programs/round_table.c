/* Five threads in a circle: each has taken the private semaphore at its left, and waits for the one at its right. With an argument they
   have eaten so often before that nobody stops at their semaphores any more. */
#include "common.h"
#define SEATS 5
static sem_t forks[SEATS];
static pthread_barrier_t all;
static int meals;
static void *dine(void *seat)
{
    long i = (long)seat;
    for (int meal = 0; meal < meals; meal++)
        sem_wait(&forks[i]), sem_post(&forks[i]);
    sem_wait(&forks[i]);
    pthread_barrier_wait(&all);
    sem_wait(&forks[(i + 1) % SEATS]);
    return NULL;
}
int main(int argc, char **argv)
{
    pthread_t threads[SEATS];
    meals = argc > 1 ? atoi(argv[1]) : 0;
    pthread_barrier_init(&all, NULL, SEATS + 1);
    for (int i = 0; i < SEATS; i++)
        CHECK(sem_init(&forks[i], 0, 1) == 0);
    for (long i = 0; i < SEATS; i++)
        CHECK(pthread_create(&threads[i], NULL, dine, (void *)i) == 0);
    pthread_barrier_wait(&all);
    FILE *facts = fopen("seated.part", "w");
    CHECK(facts && fprintf(facts, "pid %d\n", getpid()) > 0 && fclose(facts) == 0);
    CHECK(rename("seated.part", "seated.ready") == 0);
    for (int i = 0; i < SEATS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
