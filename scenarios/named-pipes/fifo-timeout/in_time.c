/* usage: in_time signal|sigaction [LIMIT] [LATE]
 * A reader gives a writer LIMIT seconds, first to come and then to write. The writer is LATE. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const NAME = "door";
static int limit = 1;

static void ring(int signo)
{
    (void)signo; /* nothing to do: that it runs is what ends the call */
}

static int open_in_time(void)
{
    alarm(limit);
    int fd = open(NAME, O_RDONLY);
    alarm(0); /* it came, or it is too late: nobody else is to be interrupted */
    return fd;
}

static ssize_t read_in_time(int fd, char *text, size_t size)
{
    alarm(limit);
    ssize_t count = read(fd, text, size);
    alarm(0);
    return count;
}

static void writer(double late)
{
    if (late > 0)
        usleep(late * 1e6);
    int fd = open(NAME, O_WRONLY);
    if (late > 0)
        usleep(late * 1e6);
    if (write(fd, "at last", 7) < 0)
        _exit(1);
}

int main(int argc, char **argv)
{
    char text[100];
    int fd;
    ssize_t count;

    setlinebuf(stdout);
    limit = argc > 2 ? atoi(argv[2]) : limit;
    if (mkfifo(NAME, 0600) < 0)
        return 1;
    if (argc > 1 && strcmp(argv[1], "signal") == 0) {
        signal(SIGALRM, ring); /* in glibc this means SA_RESTART */
    } else {
        struct sigaction action = {.sa_handler = ring}; /* without SA_RESTART */
        sigaction(SIGALRM, &action, NULL);
    }
    if (fork() == 0) {
        writer(argc > 3 ? atof(argv[3]) : 2.5);
        return 0;
    }

    while ((fd = open_in_time()) < 0 && errno == EINTR) {
        printf("nobody has come in time: I try again\n");
        access("/.ipcviz/step/out of time", F_OK);
    }
    while ((count = read_in_time(fd, text, sizeof text)) < 0 && errno == EINTR)
        printf("nothing was written in time: I try again\n"); /* no byte was lost */
    printf("read: %.*s\n", (int)count, text);
    unlink(NAME);
    wait(NULL);
    return 0;
}
