/* Semaphores of all three kinds, with values that sem_getvalue and semctl say; a child waits on one of each. */
#include "common.h"
#include <sys/ipc.h>
#include <sys/sem.h>
struct shared { char space[64]; sem_t a, b; };
int main(int argc, char **argv)
{
    CHECK(argc > 1);
    const char *name = argv[1];
    struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(s != MAP_FAILED);
    sem_t *named = sem_open(name, O_CREAT | O_EXCL, 0600, 5), *empty, private;
    CHECK(named != SEM_FAILED);
    char other[128];
    snprintf(other, sizeof other, "%s-0", name);
    empty = sem_open(other, O_CREAT | O_EXCL, 0600, 0);
    CHECK(empty != SEM_FAILED);
    sem_init(&s->a, 1, 7);
    sem_init(&s->b, 1, 0);
    sem_init(&private, 0, 4);
    sem_wait(&private);
    sem_wait(named);
    sem_wait(named);
    sem_post(named);
    sem_wait(&s->a);
    int sysv = semget(IPC_PRIVATE, 3, 0600);
    unsigned short values[3] = {2, 0, 9};
    CHECK(sysv >= 0 && semctl(sysv, 0, SETALL, values) == 0);
    struct sembuf take = {.sem_num = 2, .sem_op = -3};
    CHECK(semop(sysv, &take, 1) == 0);
    pid_t pids[3];
    for (int i = 0; i < 3; i++)
        if ((pids[i] = fork()) == 0) {
            struct sembuf down = {.sem_num = 1, .sem_op = -1};
            if (i == 0)
                sem_wait(empty);
            else if (i == 1)
                sem_wait(&s->b);
            else
                semop(sysv, &down, 1);
            _exit(0);
        }
    for (int i = 0; i < 3; i++)
        until_asleep(pids[i]);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 1000000;
    CHECK(sem_timedwait(empty, &soon) == -1 && (errno == ETIMEDOUT || errno == EINVAL));
    /* Whoever looks only later can't know the name of one that was removed. */
    CHECK(sem_open(name, 0) == named && (argc > 2 || sem_unlink(name) == 0));
    char facts[1000];
    int v[5];
    sem_getvalue(named, &v[0]), sem_getvalue(empty, &v[1]), sem_getvalue(&s->a, &v[2]), sem_getvalue(&s->b, &v[3]);
    sem_getvalue(&private, &v[4]);
    snprintf(facts, sizeof facts,
             "pid %d\nnamed %d\nempty %d\na %d\na_offset %d\nb %d\nb_offset %d\nprivate %d\nprivate_address %ld\n"
             "sysv %d\nsysv0 %d\nsysv1 %d\nsysv1_waiters %d\nsysv2 %d\nwaiter0 %d\nwaiter1 %d\nwaiter2 %d\n",
             getpid(), v[0], v[1], v[2], (int)((char *)&s->a - (char *)s), v[3], (int)((char *)&s->b - (char *)s), v[4],
             (long)&private, sysv, semctl(sysv, 0, GETVAL), semctl(sysv, 1, GETVAL), semctl(sysv, 1, GETNCNT),
             semctl(sysv, 2, GETVAL), pids[0], pids[1], pids[2]);
    barrier("semaphores", facts);
    sem_post(empty);
    kill(pids[1], SIGKILL);
    struct sembuf up = {.sem_num = 1, .sem_op = 1};
    semop(sysv, &up, 1);
    while (wait(NULL) > 0)
        ;
    semctl(sysv, 0, IPC_RMID);
    sem_close(named);
    sem_unlink(name);
    sem_unlink(other);
    return 0;
}
