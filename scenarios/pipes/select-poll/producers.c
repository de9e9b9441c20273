#include "producers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void start_producers(int pipes[MANY], double rest)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int n = 0; n < MANY; n++) {
        int ends[2];
        if (pipe(ends) < 0)
            exit(1);
        pipes[n] = ends[0];
        if (fork() == 0) {
            char text[40];
            for (int i = 0; i <= n; i++)
                close(pipes[i]);
            usleep((useconds_t)((MANY - n) * rest * 1e6)); /* the last one writes first */
            snprintf(text, sizeof text, "hello from producer %d", n + 1);
            if (write(ends[1], text, strlen(text)) < 0)
                perror("write");
            _exit(0);
        }
        close(ends[1]);
    }
}

int consume(int fd)
{
    char text[100];
    ssize_t count = read(fd, text, sizeof text);

    if (count > 0) {
        printf("consumer: %.*s\n", (int)count, text);
        return 1;
    }
    close(fd);
    return 0;
}
