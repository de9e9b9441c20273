/* A signal that does nothing (default-ignored or SIG_IGN) arrives in calls that are never restarted after one. */
#include "common.h"
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
static pid_t me;
static pid_t sender(int signo)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        until_asleep(me);
        if (signo != SIGCHLD)
            kill(me, signo);
        _exit(0);
    }
    return pid;
}
static void report(const char *call, int signo, long ret)
{
    int error = ret < 0 ? errno : 0;
    printf("%s, signal %d: %ld %s\n", call, signo, ret, error ? strerror(error) : "");
    while (wait(NULL) > 0 || errno == EINTR)
        ;
}
int main(void)
{
    int signals[] = {SIGCHLD, SIGWINCH, SIGUSR1};
    me = getpid();
    signal(SIGUSR1, SIG_IGN);
    int epoll = epoll_create1(0), ends[2], pair[2];
    CHECK(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    struct epoll_event interest = {.events = EPOLLIN};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &interest) == 0);
    struct timeval patience = {.tv_usec = 100000};
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int sem = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
    CHECK(sem >= 0 && queue >= 0);
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        int s = signals[i];
        struct timespec time = {.tv_nsec = 100000000};
        struct sembuf down = {.sem_op = -1};
        struct epoll_event event;
        struct pollfd polled = {.fd = ends[0], .events = POLLIN};
        sigset_t set;
        char c;
        sender(s), report("epoll_wait", s, epoll_wait(epoll, &event, 1, 100));
        sender(s), report("semtimedop", s, semtimedop(sem, &down, 1, &time));
        sender(s), report("poll", s, poll(&polled, 1, 100));
        sender(s), report("nanosleep", s, nanosleep(&time, NULL));
        sender(s), report("recv with a timeout", s, recv(pair[0], &c, 1, 0));
        sigemptyset(&set);
        sigaddset(&set, SIGHUP);
        sender(s), report("sigtimedwait", s, sigtimedwait(&set, NULL, &time));
    }
    semctl(sem, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, NULL);
    return 0;
}
