/* usage: sleep_pause [SECONDS] [WINDOW]
 * sleep() made of alarm() and pause(), as in old textbooks: right, nearly always. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wake(int signo) {
    (void)signo; /* nothing to do: that it runs ends the pause */
}

static void rest(double seconds) {
    struct timespec t = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static void sleepFor(unsigned seconds, double window) {
    struct sigaction action = {.sa_handler = wake};
    sigaction(SIGALRM, &action, NULL);
    alarm(seconds);
    /* The window: on a busy machine we may lose the processor here, for as long as it likes. */
    access("/.ipcviz/step/between alarm and pause", F_OK);
    if (window > 0) rest(window);
    pause(); /* for the next signal: if it was in the window, there is none to come */
}

int main(int argc, char **argv) {
    unsigned seconds = argc > 1 ? atoi(argv[1]) : 2;
    double window = argc > 2 ? atof(argv[2]) : 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("sleeping for %u s\n", seconds);
    sleepFor(seconds, window);
    printf("awake\n");
    return 0;
}
