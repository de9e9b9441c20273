/* usage: with_read REST
 * Reads three pipes one after the other, whichever has something to read. */
#include "producers.h"
#include <stdlib.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
    int pipes[MANY];

    start_producers(pipes, argc > 1 ? atof(argv[1]) : 0);
    for (int n = 0; n < MANY; n++)
        while (consume(pipes[n])) /* sleeps, even if another pipe has something */
            ;
    while (wait(NULL) > 0)
        ;
    return 0;
}
