/* Process-shared semaphores in an anonymous shared mapping, between parent and child, and a timed one. */
#include "common.h"
struct shared { sem_t ping, pong; int turn[200]; int n; };
int main(void)
{
    struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(s != MAP_FAILED);
    sem_init(&s->ping, 1, 1);
    sem_init(&s->pong, 1, 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    sem_t *mine = pid ? &s->ping : &s->pong, *theirs = pid ? &s->pong : &s->ping;
    for (int i = 0; i < 100; i++) {
        CHECK(sem_wait(mine) == 0);
        s->turn[s->n++] = pid != 0;
        CHECK(sem_post(theirs) == 0);
    }
    if (pid == 0)
        return 0;
    wait(NULL);
    int wrong = 0;
    for (int i = 0; i < s->n; i++)
        wrong += s->turn[i] != (i % 2 == 0);
    struct timespec past = {0};
    int timed = (sem_wait(&s->ping), sem_timedwait(&s->ping, &past));
    printf("%d turns, %d out of order, timed %s, try %d\n", s->n, wrong, timed < 0 ? strerror(errno) : "?",
           sem_trywait(&s->ping));
    return 0;
}
