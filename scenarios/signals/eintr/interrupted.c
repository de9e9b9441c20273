/* usage: interrupted plain|restart|retry [SECONDS]
 * A read sleeps on an empty pipe; a signal with a handler comes before the data. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void handler(int signo)
{
    (void)signo; /* nothing to do: that it runs is enough */
}

static void writer(int fd, double seconds)
{
    if (seconds > 0)
        usleep(seconds * 1e6);
    kill(getppid(), SIGUSR1);
    if (seconds > 0)
        usleep(seconds * 1e6);
    if (write(fd, "hello", 5) < 0)
        _exit(1);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "plain";
    int ends[2];
    char text[100];
    struct sigaction action = {.sa_handler = handler};
    if (strcmp(how, "restart") == 0)
        action.sa_flags = SA_RESTART; /* the kernel makes the interrupted call again */
    sigaction(SIGUSR1, &action, NULL);

    if (pipe(ends) < 0)
        return 1;
    if (fork() == 0) {
        close(ends[0]);
        writer(ends[1], argc > 2 ? atof(argv[2]) : 0.5);
        return 0;
    }
    close(ends[1]);

    ssize_t count = read(ends[0], text, sizeof text);
    while (count < 0 && errno == EINTR && strcmp(how, "retry") == 0)
        count = read(ends[0], text, sizeof text); /* the program makes it again */
    if (count < 0)
        perror("read");
    else
        printf("read %zd bytes: %.*s\n", count, (int)count, text);
    fflush(stdout);
    close(ends[0]);
    wait(NULL);
    return count < 0;
}
