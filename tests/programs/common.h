/* Shared by the fixture programs: each of them has one oddity, prints what came of it, and exits 0. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(e)                                                                                   \
    do {                                                                                           \
        if (!(e)) {                                                                                \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #e, strerror(errno));           \
            exit(99);                                                                              \
        }                                                                                          \
    } while (0)

static inline void say_status(const char *who, int status)
{
    if (WIFEXITED(status))
        printf("%s exited %d\n", who, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s killed by %d\n", who, WTERMSIG(status));
    else if (WIFSTOPPED(status))
        printf("%s stopped by %d\n", who, WSTOPSIG(status));
    else if (WIFCONTINUED(status))
        printf("%s continued\n", who);
}

/* The thread's state letter in /proc: 'S' means that it really sleeps in a call. */
static inline char state_of(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 'X';
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 'X';
    text[n] = 0;
    char *p = strrchr(text, ')');
    return p ? p[2] : 'X';
}

/* Wait until `pid` has slept for a moment without a break: then it sits in the call that it means to sit in. */
static inline void until_asleep(pid_t pid)
{
    for (int calm = 0, tries = 0; calm < 20 && tries < 20000; tries++) {
        calm = state_of(pid) == 'S' ? calm + 1 : 0;
        usleep(500);
    }
}

static inline void on_signal(int signo, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(signo, &action, NULL) == 0);
}

/* Report facts in the file NAME.ready (all at once), then wait until the other side has opened and closed the FIFO NAME.go. */
static inline void barrier(const char *name, const char *facts)
{
    char path[256], ready[256], byte;
    snprintf(path, sizeof path, "%s.new", name);
    snprintf(ready, sizeof ready, "%s.ready", name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0 && write(fd, facts, strlen(facts)) == (ssize_t)strlen(facts) && close(fd) == 0);
    CHECK(rename(path, ready) == 0);
    snprintf(path, sizeof path, "%s.go", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, &byte, 1) == 0 && close(fd) == 0);
}
