/* How each of the means is opened. Its name is removed at once: the child inherits what is open,
 * and nothing stays, however this ends. */
#include "means.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void connect_tcp(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET}; /* port 0: any that is free */
    socklen_t length = sizeof address;
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(listener, (struct sockaddr *)&address, length) == 0, "bind");
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &length);
    check(connect(fds[0], (struct sockaddr *)&address, length) == 0, "connect");
    fds[1] = accept(listener, NULL, NULL);
    close(listener);
    for (int n = 0; n < 2; n++) /* else small messages wait to be sent together */
        setsockopt(fds[n], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static int open_queue(const char *name)
{
    struct mq_attr limits = {.mq_maxmsg = 10, .mq_msgsize = LONGEST};
    int queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &limits);
    check(queue >= 0, "mq_open");
    mq_unlink(name);
    return queue;
}

static int open_fifo(void)
{
    check(mkfifo("fifo", 0600) == 0, "mkfifo");
    int fd = open("fifo", O_RDWR); /* on Linux this waits for nobody */
    unlink("fifo");
    return fd;
}

static int open_file(const char *path, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && ftruncate(fd, (off_t)size) == 0, path);
    unlink(path);
    return fd;
}

static char *map(int fd, size_t size)
{
    int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    check(memory != MAP_FAILED, "mmap");
    return memory;
}

static sem_t *open_semaphore(const char *name, const char *means, const char *use, unsigned value)
{
    char path[200];
    snprintf(path, sizeof path, "%s-%s-%s", name, means, use);
    sem_t *semaphore = sem_open(path, O_CREAT | O_EXCL, 0600, value);
    check(semaphore != SEM_FAILED, "sem_open");
    sem_unlink(path);
    return semaphore;
}

struct channel open_channel(const char *means, const char *name, size_t size)
{
    struct channel c = {.in = -1, .out = -1};
    int fds[2] = {-1, -1};

    if (strcmp(means, "pipe") == 0)
        check(pipe(fds) == 0, "pipe");
    else if (strcmp(means, "fifo") == 0)
        fds[0] = fds[1] = open_fifo();
    else if (strcmp(means, "unix") == 0)
        check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
    else if (strcmp(means, "tcp") == 0)
        connect_tcp(fds);
    else if (strcmp(means, "queue") == 0)
        fds[0] = fds[1] = open_queue(name);
    else if (strcmp(means, "file") == 0 || strcmp(means, "mapped") == 0)
        fds[0] = fds[1] = open_file(means, SLOTS * size);
    c.out = fds[0], c.in = fds[1];
    c.is_queue = strcmp(means, "queue") == 0;
    if (strcmp(means, "mapped") == 0 || strcmp(means, "memory") == 0)
        c.memory = map(c.in, SLOTS * size);
    if (c.memory || strcmp(means, "file") == 0) {
        c.empty = open_semaphore(name, means, "empty", SLOTS);
        c.full = open_semaphore(name, means, "full", 0);
    }
    return c;
}
