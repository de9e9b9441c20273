/* usage: holder plain|undo [SECONDS]
 * A System V semaphore: one process takes it and is killed, another one waits for it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

static int set = -1; /* the identifier of the set; ours has one semaphore */
static int flags;

static void change(int by)
{
    /* With SEM_UNDO the kernel keeps the opposite for us, and does it when this process ends. */
    struct sembuf operation = {.sem_num = 0, .sem_op = by, .sem_flg = flags};
    if (semop(set, &operation, 1) < 0)
        exit(1);
}

static void clear_away(int signo)
{
    semctl(set, 0, IPC_RMID); /* else it is there until the next boot */
    unlink("key");
    if (signo)
        _exit(128 + signo);
}

int main(int argc, char **argv)
{
    flags = argc > 1 && strcmp(argv[1], "undo") == 0 ? SEM_UNDO : 0;
    double seconds = argc > 2 ? atof(argv[2]) : 0.5;

    FILE *file = fopen("key", "w"); /* ftok makes a key of a file that all know */
    if (file)
        fclose(file);
    set = semget(ftok("key", 'S'), 1, IPC_CREAT | IPC_EXCL | 0600);
    if (set < 0) {
        perror("semget");
        return 1;
    }
    semctl(set, 0, SETVAL, 1); /* two calls to make one: somebody could come in between */

    pid_t holder = fork();
    if (holder == 0) {
        change(-1);
        pause(); /* at work, until it is killed */
        return 0;
    }
    if (seconds > 0)
        usleep(seconds * 1e6);
    if (fork() == 0) {
        change(-1); /* until somebody gives it back */
        change(+1);
        return 0;
    }
    signal(SIGINT, clear_away);
    signal(SIGTERM, clear_away);
    if (seconds > 0)
        usleep(seconds * 1e6);
    printf("value %d, %d waiting\n", semctl(set, 0, GETVAL), semctl(set, 0, GETNCNT));
    fflush(stdout);
    kill(holder, SIGKILL);
    while (wait(NULL) > 0)
        ;
    printf("value %d: the other one had its turn\n", semctl(set, 0, GETVAL));
    clear_away(0);
    return 0;
}
