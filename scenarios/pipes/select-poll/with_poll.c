/* usage: with_poll REST
 * Reads from three pipes what is ready, as poll(2) says it. */
#include "producers.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
    int pipes[MANY];
    struct pollfd asked[MANY];

    start_producers(pipes, argc > 1 ? atof(argv[1]) : 0);
    for (int n = 0; n < MANY; n++)
        asked[n] = (struct pollfd){.fd = pipes[n], .events = POLLIN};

    for (int left = MANY; left > 0;) {
        poll(asked, MANY, -1); /* says in revents which are ready */
        for (int n = 0; n < MANY; n++)
            if (asked[n].revents && !consume(asked[n].fd)) {
                asked[n].fd = -1; /* poll passes it over */
                left--;
            }
    }
    while (wait(NULL) > 0)
        ;
    return 0;
}
