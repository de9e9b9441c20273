/* usage: sleep_longjmp [SECONDS] [WINDOW]
 * sleep() made of alarm() and longjmp(): no wake-up is lost any more, and something else is.
 * Send it SIGINT (ctrl+c) less than 3 seconds before the end. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static jmp_buf awake;

static void wake(int signo) {
    (void)signo;
    longjmp(awake, 1); /* back to setjmp: whether pause() had begun does not matter */
}

static void rest(double seconds) {
    struct timespec t = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static void clean_up(int signo) {
    (void)signo;
    if (write(1, "SIGINT: I clean up\n", 19) < 0) _exit(1);
    rest(3); /* slow: SIGALRM can come in here, and its handler jumps */
    if (write(1, "SIGINT: all is clean\n", 21) < 0) _exit(1);
}

static void sleepFor(unsigned seconds, double window) {
    struct sigaction action = {.sa_handler = wake};
    sigaction(SIGALRM, &action, NULL);
    if (setjmp(awake) == 0) {
        alarm(seconds);
        access("/.ipcviz/step/between alarm and pause", F_OK);
        if (window > 0) rest(window);
        pause();
    }
    alarm(0); /* after the jump SIGALRM is still blocked: setjmp had kept no mask */
}

int main(int argc, char **argv) {
    unsigned seconds = argc > 1 ? atoi(argv[1]) : 2;
    double window = argc > 2 ? atof(argv[2]) : 0;
    struct sigaction action = {.sa_handler = clean_up};
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGINT, &action, NULL);
    printf("sleeping for %u s\n", seconds);
    sleepFor(seconds, window);
    printf("awake\n");
    return 0;
}
