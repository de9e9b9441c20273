/* A daemon by two forks and setsid outlives the command for a moment and then writes a file. */
#include "common.h"
int main(void)
{
    pid_t pid = fork();
    if (pid > 0) {
        int status;
        waitpid(pid, &status, 0);
        puts("started");
        return 4;
    }
    setsid();
    if (fork() > 0)
        _exit(0);
    close(0), close(1), close(2);
    usleep(150000);
    int fd = open("daemon.out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dprintf(fd, "session of its own: %d\n", getsid(0) != getpid());
    return 0;
}
