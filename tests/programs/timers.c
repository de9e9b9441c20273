/* timer_create to a thread of one's choice, timerfd, signalfd, eventfd. */
#include "common.h"
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
int main(void)
{
    sigset_t set;
    siginfo_t info;
    timer_t timer;
    uint64_t count;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42};
    struct itimerspec soon = {.it_value.tv_nsec = 20000000};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0);
    int signo = sigwaitinfo(&set, &info);
    printf("timer: signal +%d, code %d, value %d\n", signo - SIGRTMIN, info.si_code, info.si_value.sival_int);
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    CHECK(timerfd_settime(fd, 0, &soon, NULL) == 0);
    CHECK(read(fd, &count, sizeof count) == sizeof count);
    printf("timerfd: %d\n", (int)count);
    int signals = signalfd(-1, &set, 0);
    struct signalfd_siginfo got;
    kill(getpid(), SIGUSR1);
    CHECK(read(signals, &got, sizeof got) == sizeof got);
    printf("signalfd: %d from %s\n", (int)got.ssi_signo, (pid_t)got.ssi_pid == getpid() ? "me" : "?");
    int counter = eventfd(3, EFD_SEMAPHORE);
    CHECK(read(counter, &count, sizeof count) == sizeof count);
    printf("eventfd: %d\n", (int)count);
    return 0;
}
