/* Groups, a session, the foreground of the terminal (if there is one), an orphan and its reaper, namespaces, POSIX timers. */
#include "common.h"
static void rest(void)
{
    int fd = open("ready.go", O_RDONLY);
    char c;
    _exit(fd < 0 || read(fd, &c, 1) != 0);
}
static void say(int fd, int value) { CHECK(write(fd, &value, sizeof value) == sizeof value); }
static int hear(int fd)
{
    int value = -1;
    CHECK(read(fd, &value, sizeof value) == sizeof value);
    return value;
}
int main(void)
{
    int ends[2], status, orphan = 0, apart = 0;
    CHECK(pipe(ends) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    pid_t grouped = fork();
    if (grouped == 0) {
        CHECK(setpgid(0, 0) == 0);
        say(ends[1], 1);
        rest();
    }
    hear(ends[0]);
    int terminal = isatty(0);
    if (terminal)
        CHECK(tcsetpgrp(0, grouped) == 0);
    pid_t alone = fork();
    if (alone == 0) {
        CHECK(setsid() == getpid());
        say(ends[1], 1);
        rest();
    }
    hear(ends[0]);
    pid_t parent = fork();
    if (parent == 0) {
        if ((orphan = fork()) == 0)
            rest();
        say(ends[1], orphan);
        _exit(3);
    }
    orphan = hear(ends[0]);
    CHECK(waitpid(parent, &status, 0) == parent);
    pid_t inner = fork();
    if (inner == 0) {
        int own = unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWIPC : CLONE_NEWIPC) == 0;
        say(ends[1], own);
        rest();
    }
    apart = hear(ends[0]);
    timer_t timers[4];
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1}, mine = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
    mine._sigev_un._tid = getpid();
    struct itimerspec later = {.it_value.tv_sec = 600, .it_interval.tv_sec = 3}, moment = {0};
    CHECK(timer_create(CLOCK_MONOTONIC, &how, &timers[0]) == 0 && timer_settime(timers[0], 0, &later, NULL) == 0);
    CHECK(timer_create(CLOCK_REALTIME, &mine, &timers[1]) == 0);
    clock_gettime(CLOCK_REALTIME, &moment.it_value);
    moment.it_value.tv_sec += 900;
    CHECK(timer_settime(timers[1], TIMER_ABSTIME, &moment, NULL) == 0);
    CHECK(timer_create(CLOCK_BOOTTIME, &how, &timers[2]) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timers[3]) == 0 && timer_delete(timers[3]) == 0);
    struct itimerval used = {.it_value.tv_sec = 700};
    CHECK(setitimer(ITIMER_PROF, &used, NULL) == 0);
    char facts[400];
    snprintf(facts, sizeof facts, "pid %d\ngrouped %d\nalone %d\nparent %d\norphan %d\ninner %d\napart %d\nterminal %d\n", getpid(), grouped, alone,
             parent, orphan, inner, apart, terminal);
    barrier("armed", facts);
    /* All the others wait for this: it is opened once each, so all are let go together. */
    int go = open("ready.go", O_WRONLY);
    usleep(1000);
    close(go);
    for (int left = 4; left; left--)
        CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}
