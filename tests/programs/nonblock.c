/* A full pipe without blocking: how much fits, EAGAIN, packets, and other capacities. */
#include "common.h"
static long fill(int fd, size_t each)
{
    static char data[70000];
    long total = 0;
    ssize_t n;
    while ((n = write(fd, data, each)) > 0)
        total += n;
    CHECK(errno == EAGAIN);
    return total;
}
int main(void)
{
    int ends[2], queued;
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    int capacity = fcntl(ends[0], F_GETPIPE_SZ);
    printf("capacity %d, pages fit %ld\n", capacity, fill(ends[1], 4096));
    CHECK(fcntl(ends[1], F_SETPIPE_SZ, capacity * 2) > 0 || errno == EPERM);
    printf("capacity %d, more fit: %d\n", fcntl(ends[0], F_GETPIPE_SZ), fill(ends[1], 4096) > 0);
    ioctl(ends[0], FIONREAD, &queued);
    printf("queued %d, shrinking: %d %s\n", queued, fcntl(ends[1], F_SETPIPE_SZ, 4096), strerror(errno));
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    printf("ten-byte lines: %ld\n", fill(ends[1], 10));
    CHECK(pipe2(ends, O_NONBLOCK | O_DIRECT) == 0);
    printf("ten-byte packets: %ld\n", fill(ends[1], 10));
    char buffer[100];
    printf("one packet: %zd\n", read(ends[0], buffer, sizeof buffer));
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    long n = fill(pair[0], 1000);
    ioctl(pair[1], FIONREAD, &queued);
    printf("socket: %ld, queued %d\n", n, queued);
    return 0;
}
