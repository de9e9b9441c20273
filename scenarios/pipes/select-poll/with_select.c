/* usage: with_select REST
 * Reads from three pipes what is ready, as select(2) says it. */
#include "producers.h"
#include <stdlib.h>
#include <sys/select.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
    int pipes[MANY];
    fd_set open, ready;

    start_producers(pipes, argc > 1 ? atof(argv[1]) : 0);
    FD_ZERO(&open);
    for (int n = 0; n < MANY; n++)
        FD_SET(pipes[n], &open);

    for (int left = MANY; left > 0;) {
        ready = open; /* select takes away those that are not ready */
        select(pipes[MANY - 1] + 1, &ready, NULL, NULL, NULL);
        for (int n = 0; n < MANY; n++)
            if (FD_ISSET(pipes[n], &ready) && !consume(pipes[n])) {
                FD_CLR(pipes[n], &open);
                left--;
            }
    }
    while (wait(NULL) > 0)
        ;
    return 0;
}
