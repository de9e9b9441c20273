/* usage: blocking BYTES WRITES CAPACITY REST
 * A writer and a reader with a pipe between them: whoever is ahead sleeps in the kernel. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char data[4096];

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    size_t size = strtoul(argv[1], NULL, 10);
    int writes = atoi(argv[2]), capacity = atoi(argv[3]);
    useconds_t rest = (useconds_t)(atof(argv[4]) * 1e6);
    int ends[2];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (size > sizeof data || pipe(ends) < 0)
        return 1;
    if (fcntl(ends[1], F_SETPIPE_SZ, capacity) < 0) /* the kernel rounds up to whole pages */
        perror("F_SETPIPE_SZ");
    printf("the pipe has room for %d bytes\n", fcntl(ends[1], F_GETPIPE_SZ));

    if (fork() == 0) {
        ssize_t count;
        close(ends[1]);
        while ((count = read(ends[0], data, size)) > 0) { /* sleeps while there is nothing */
            printf("reader: %zd bytes\n", count);
            usleep(rest);
        }
        return 0;
    }

    close(ends[0]);
    usleep(rest);
    memset(data, 'x', sizeof data);
    for (int number = 1; number <= writes; number++) {
        if (write(ends[1], data, size) < 0) /* sleeps while there is no room */
            perror("write");
        printf("writer: %zu bytes in all\n", number * size);
    }
    close(ends[1]);
    wait(NULL);
    return 0;
}
