/* usage: atomicity BYTES MESSAGES CAPACITY REST
 * Two writers share a pipe: each message is one write of one letter. Do they come out whole? */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char data[65536];

static void write_messages(int fd, char letter, size_t size, int messages)
{
    memset(data, letter, size);
    while (messages-- > 0)
        if (write(fd, data, size) < 0)
            perror("write");
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    size_t size = strtoul(argv[1], NULL, 10), run = 0;
    int ends[2], messages = atoi(argv[2]), mixed = 0;
    char last = 0;
    ssize_t count;

    if (size > sizeof data || pipe(ends) < 0)
        return 1;
    if (fcntl(ends[1], F_SETPIPE_SZ, atoi(argv[3])) < 0) /* little room: it comes to it sooner */
        perror("F_SETPIPE_SZ");
    for (char letter = 'a'; letter <= 'b'; letter++)
        if (fork() == 0) {
            close(ends[0]);
            write_messages(ends[1], letter, size, messages);
            return 0;
        }

    close(ends[1]);
    usleep((useconds_t)(atof(argv[4]) * 1e6));
    while ((count = read(ends[0], data, sizeof data)) > 0)
        for (ssize_t n = 0; n < count; n++, run++)
            if (data[n] != last) {
                mixed |= run % size != 0;
                if (last)
                    printf("%zu %c, ", run, last);
                last = data[n];
                run = 0;
            }
    printf("%zu %c\n", run, last);
    wait(NULL);
    wait(NULL);

    if (mixed || run % size != 0) {
        access("/.ipcviz/step/mixed", F_OK);
        puts("a message is in the middle of another one");
    } else {
        access("/.ipcviz/step/whole", F_OK);
        puts("each message is whole");
    }
    return 0;
}
