/* eventfd, timerfd, signalfd, pidfd and inotify in one epoll set, whose number for one of them means another file by now. */
#include "common.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
static void put(int set, int fd, unsigned events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}
int main(void)
{
    int go[2], pair[2], dead[2];
    CHECK(pipe(go) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(dead) == 0);
    CHECK(mkdir("queue", 0755) == 0);
    pid_t child = fork();
    if (child == 0) {
        char c;
        close(go[1]);
        CHECK(read(go[0], &c, 1) == 1);
        _exit(0);
    }
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int counter = eventfd(5, EFD_SEMAPHORE), other = eventfd(0, 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0), idle = timerfd_create(CLOCK_REALTIME, 0);
    struct itimerspec later = {.it_value.tv_sec = 600, .it_interval.tv_sec = 2};
    CHECK(timerfd_settime(timer, 0, &later, NULL) == 0);
    int signals = signalfd(-1, &set, 0);
    int process = (int)syscall(SYS_pidfd_open, child, 0);
    int watch = inotify_init1(0);
    CHECK(inotify_add_watch(watch, "queue", IN_MOVED_TO | IN_CREATE) == 1);
    uint64_t one = 1;
    CHECK(write(other, &one, 8) == 8 && read(other, &one, 8) == 8);
    int epoll = epoll_create1(0);
    put(epoll, pair[0], EPOLLIN), put(epoll, timer, EPOLLIN | EPOLLET), put(epoll, signals, EPOLLIN);
    put(epoll, process, EPOLLIN), put(epoll, watch, EPOLLIN), put(epoll, other, EPOLLIN), put(epoll, dead[0], EPOLLIN);
    /* The set goes on meaning the pipe, whose end lives on under another number. */
    int kept = dup(dead[0]);
    CHECK(dup2(idle, dead[0]) == dead[0]);
    pid_t waiter = fork();
    if (waiter == 0) {
        struct epoll_event events[8];
        CHECK(epoll_wait(epoll, events, 8, 30000) >= 1);
        char text[4096];
        CHECK(read(watch, text, sizeof text) > 0);
        _exit(0);
    }
    pid_t sleeper = fork();
    if (sleeper == 0) {
        CHECK(read(idle, &one, 8) == 8);
        _exit(0);
    }
    until_asleep(waiter), until_asleep(sleeper);
    char facts[400];
    snprintf(facts, sizeof facts,
             "pid %d\nchild %d\nwaiter %d\nsleeper %d\ncounter %d\nother %d\ntimer %d\nidle %d\nsignals %d\nprocess %d\nwatch %d\nepoll %d\npair "
             "%d\ndead %d\nkept %d\n",
             getpid(), child, waiter, sleeper, counter, other, timer, idle, signals, process, watch, epoll, pair[0], dead[0], kept);
    barrier("armed", facts);
    CHECK(close(open("queue/job", O_WRONLY | O_CREAT, 0600)) == 0);
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    CHECK(timerfd_settime(idle, 0, &soon, NULL) == 0 && write(go[1], "x", 1) == 1);
    int status;
    while (wait(&status) > 0)
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unlink("queue/job"), rmdir("queue");
    return 0;
}
