/* usage: handlers right|wrong
 * Catches SIGUSR1 and SIGINT, again and again; SIGTERM ends it. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int wrong;

static void say(const char *text)
{
    if (write(1, text, strlen(text)) < 0) /* write may be called in a handler, printf may not */
        _exit(1);
}

static void handler(int signo)
{
    if (wrong)
        say("caught SIGUSR1\n"); /* whichever it was: this handler is for two */
    else if (signo == SIGUSR1)
        say("caught SIGUSR1\n");
    else
        say("caught SIGINT\n");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = handler};
    wrong = argc > 1 && strcmp(argv[1], "wrong") == 0;
    sigemptyset(&action.sa_mask); /* while the handler runs only its own signal is blocked */
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    /* Nothing for SIGTERM: its default is to end the process. */
    for (;;) {
        pause();
        say("pause is over\n");
    }
}
