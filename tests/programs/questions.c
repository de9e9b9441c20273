/* Something of everything that docs/trace.md asks about, over before a second keyframe: a full pipe, a signal, semaphores of both kinds that
   somebody waits for, a set that is removed, children that exit and are killed. */
#include "common.h"
#include <sys/ipc.h>
#include <sys/sem.h>
static void caught(int signo) { (void)signo; }
static int set, ends[2];
static sem_t *gate;
static void change(int by) { CHECK(semop(set, &(struct sembuf){.sem_num = 1, .sem_op = by}, 1) == 0); }
int main(void)
{
    static char text[70000];
    set = semget(IPC_PRIVATE, 2, 0600);
    gate = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(set >= 0 && gate != MAP_FAILED && sem_init(gate, 1, 0) == 0 && pipe(ends) == 0);
    signal(SIGUSR1, caught);
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        CHECK(write(ends[1], text, sizeof text) == sizeof text);
        change(-1);
        while (sem_wait(gate) != 0)
            ;
        _exit(3);
    }
    close(ends[1]);
    usleep(150000);
    for (ssize_t all = 0, got = 1; got > 0 && all < sizeof text; all += got)
        got = read(ends[0], text, sizeof text);
    usleep(150000);
    change(1);
    usleep(150000);
    kill(writer, SIGUSR1);
    usleep(20000);
    sem_post(gate);
    int status;
    CHECK(waitpid(writer, &status, 0) == writer && WEXITSTATUS(status) == 3);
    CHECK(semctl(set, 0, IPC_RMID) == 0 && sem_destroy(gate) == 0);
    pid_t sleeper = fork();
    if (sleeper == 0)
        for (;;)
            pause();
    kill(sleeper, SIGKILL);
    CHECK(waitpid(sleeper, &status, 0) == sleeper);
    return 0;
}
