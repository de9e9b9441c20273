/* alarm by setitimer and pause; then an alarm that nobody catches ends it. */
#include "common.h"
static volatile sig_atomic_t caught;
static void count(int signo) { (void)signo; caught++; }
int main(void)
{
    struct itimerval soon = {.it_value.tv_usec = 60000};
    on_signal(SIGALRM, count, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    int r = pause();
    printf("pause %d %s, caught %d\n", r, strerror(errno), (int)caught);
    struct timespec left, second = {.tv_sec = 30};
    setitimer(ITIMER_REAL, &soon, NULL);
    r = nanosleep(&second, &left);
    printf("nanosleep %d, left at least 29 s: %d\n", r, left.tv_sec >= 29);
    fflush(stdout);
    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &soon, NULL);
    pause();
    return 98;
}
