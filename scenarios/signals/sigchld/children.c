/* usage: children one|loop [COUNT]
 * Some children end at the same time. The parent waits for them when SIGCHLD says so. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int loop;
static volatile sig_atomic_t reaped;

static void child_ended(int signo)
{
    (void)signo;
    if (loop)
        while (waitpid(-1, NULL, WNOHANG) > 0) /* all that have ended by now */
            reaped++;
    else if (waitpid(-1, NULL, WNOHANG) > 0) /* wrong: a signal is not a child */
        reaped++;
}

int main(int argc, char **argv)
{
    loop = argc > 1 && strcmp(argv[1], "loop") == 0;
    int count = argc > 2 ? atoi(argv[2]) : 3;
    struct sigaction action = {.sa_handler = child_ended};
    sigset_t child_only, before;

    sigaction(SIGCHLD, &action, NULL);
    sigemptyset(&child_only);
    sigaddset(&child_only, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_only, &before); /* it is let in by sigsuspend alone */
    setvbuf(stdout, NULL, _IOLBF, 0);

    for (int n = 0; n < count; n++)
        if (fork() == 0)
            return 0;
    while (reaped < count) {
        sigsuspend(&before);
        printf("%d of %d waited for\n", (int)reaped, count);
    }
    return 0;
}
