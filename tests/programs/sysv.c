/* System V: a semaphore with SEM_UNDO whose holder dies, messages by type, a segment shared with a child. */
#include "common.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
struct message { long type; char text[16]; };
int main(void)
{
    int sem = semget(IPC_PRIVATE, 2, 0600), queue = msgget(IPC_PRIVATE, 0600), shm = shmget(IPC_PRIVATE, 4096, 0600);
    CHECK(sem >= 0 && queue >= 0 && shm >= 0);
    CHECK(semctl(sem, 0, SETVAL, 3) == 0);
    int *memory = shmat(shm, NULL, 0);
    CHECK(memory != (void *)-1);
    pid_t pid = fork();
    if (pid == 0) {
        struct sembuf take = {.sem_num = 0, .sem_op = -2, .sem_flg = SEM_UNDO}, post = {.sem_num = 1, .sem_op = 1};
        struct message m = {.type = 2, .text = "two"};
        semop(sem, &take, 1);
        msgsnd(queue, &m, sizeof m.text, 0);
        m.type = 1, strcpy(m.text, "one");
        msgsnd(queue, &m, sizeof m.text, 0);
        *memory = semctl(sem, 0, GETVAL);
        semop(sem, &post, 1);
        raise(SIGKILL);
    }
    struct sembuf down = {.sem_num = 1, .sem_op = -1};
    CHECK(semop(sem, &down, 1) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("value while taken %d, after its death %d\n", *memory, semctl(sem, 0, GETVAL));
    struct message m;
    for (long type = 1; type <= 2; type++)
        printf("type %ld: %zd bytes, %s\n", type, msgrcv(queue, &m, sizeof m.text, type, IPC_NOWAIT), m.text);
    shmdt(memory);
    semctl(sem, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, NULL);
    shmctl(shm, IPC_RMID, NULL);
    return 0;
}
