/* usage: with_epoll REST
 * Reads from three pipes what is ready, as epoll(7) says it. */
#include "producers.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int pipes[MANY];
    struct epoll_event event = {.events = EPOLLIN}, found[MANY];

    start_producers(pipes, argc > 1 ? atof(argv[1]) : 0);
    int epoll = epoll_create1(0); /* the kernel keeps the list from now on */
    for (int n = 0; n < MANY; n++) {
        event.data.fd = pipes[n];
        epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[n], &event);
    }

    for (int left = MANY; left > 0;) {
        int count = epoll_wait(epoll, found, MANY, -1); /* only those that are ready */
        for (int n = 0; n < count; n++)
            if (!consume(found[n].data.fd)) /* close takes it off the list */
                left--;
    }
    close(epoll);
    while (wait(NULL) > 0)
        ;
    return 0;
}
