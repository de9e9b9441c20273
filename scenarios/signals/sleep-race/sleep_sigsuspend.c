/* usage: sleep_sigsuspend [SECONDS] [WINDOW]
 * sleep() made of alarm() and sigsuspend(): the signal is blocked until we wait for it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wake(int signo) {
    (void)signo; /* nothing to do: that it runs ends the sigsuspend */
}

static void rest(double seconds) {
    struct timespec t = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static void sleepFor(unsigned seconds, double window) {
    struct sigaction action = {.sa_handler = wake};
    sigset_t alarm_only, before, waiting;
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm_only, &before); /* from here on it can only become pending */
    alarm(seconds);
    access("/.ipcviz/step/between alarm and sigsuspend", F_OK);
    if (window > 0) rest(window);
    waiting = before;
    sigdelset(&waiting, SIGALRM);
    sigsuspend(&waiting); /* unblocks it and waits, in one step: nothing fits in between */
    sigprocmask(SIG_SETMASK, &before, NULL);
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
