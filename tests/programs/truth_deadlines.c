/* Threads that sleep in calls with a limit of so many seconds each, or with a signal mask of their own. */
#include "common.h"
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
enum { SEM, CLOCK, MUTEX, CONDITION, QUEUE, SYSV, SIGNAL, PPOLL, PSELECT, EPOLL, SELECT, RECEIVE, ACCEPT, SEND, SLEEP, FOREVER, COUNT };
static const char *names[] = {"sem",   "clock", "mutex",  "condition", "queue",   "sysv", "signal", "ppoll",
                              "pselect", "epoll", "select", "receive",   "accept",  "send", "sleep",  "forever"};
static volatile pid_t tids[COUNT];
static sem_t semaphore;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;
static mqd_t queue;
static int set, ends[2], full[2], quiet[2], listener, epoll;
static struct timespec in(clockid_t clock, int seconds)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_sec += seconds;
    return t;
}
static void *wait_in(void *which)
{
    int one = (int)(intptr_t)which, seconds = 1000 + 100 * one;
    struct timespec length = {.tv_sec = seconds}, real = in(CLOCK_REALTIME, seconds), steady = in(CLOCK_MONOTONIC, seconds);
    struct timeval interval = {.tv_sec = seconds};
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    struct epoll_event event;
    struct sembuf down = {.sem_op = -1};
    char text[8192];
    fd_set fds;
    FD_ZERO(&fds);
    FD_SET(ends[0], &fds);
    sigset_t usr2, none;
    sigemptyset(&none);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    tids[one] = syscall(SYS_gettid);
    switch (one) {
    case SEM: sem_timedwait(&semaphore, &real); break;
    case CLOCK: sem_clockwait(&semaphore, CLOCK_MONOTONIC, &steady); break;
    case MUTEX: pthread_mutex_timedlock(&held, &real); break;
    case CONDITION: pthread_mutex_lock(&other); pthread_cond_timedwait(&condition, &other, &steady); break;
    case QUEUE: mq_timedreceive(queue, text, sizeof text, NULL, &real); break;
    case SYSV: semtimedop(set, &down, 1, &length); break;
    case SIGNAL: sigtimedwait(&usr2, NULL, &length); break;
    case PPOLL: ppoll(&fd, 1, &length, &none); break;
    case PSELECT: pselect(ends[0] + 1, &fds, NULL, NULL, &length, &usr2); break;
    case EPOLL: epoll_pwait(epoll, &event, 1, seconds * 1000, &none); break;
    case SELECT: select(ends[0] + 1, &fds, NULL, NULL, &interval); break;
    case RECEIVE: CHECK(recv(full[0], text, 1, 0) == -1); break;
    case ACCEPT: CHECK(accept(listener, NULL, NULL) == -1); break;
    case SEND: CHECK(send(full[0], text, sizeof text, 0) == sizeof text); break;
    case SLEEP: clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &real, NULL); break;
    case FOREVER: CHECK(recv(quiet[0], text, 1, 0) == -1); break;
    }
    return NULL;
}
int main(int argc, char **argv)
{
    char name[100], facts[1000] = "";
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 16};
    struct sockaddr_in address = {.sin_family = AF_INET};
    pthread_condattr_t steady;
    pthread_t id;
    sigset_t blocked;
    snprintf(name, sizeof name, "/ipcviz-deadlines-%d", getpid());
    CHECK(argc == 1 && argv[0]);
    CHECK(sem_init(&semaphore, 0, 0) == 0 && pthread_mutex_lock(&held) == 0);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&condition, &steady);
    CHECK((queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes)) != -1 && mq_unlink(name) == 0);
    CHECK((set = semget(IPC_PRIVATE, 1, 0600)) >= 0);
    CHECK(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, full) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) == 0);
    CHECK((listener = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
    CHECK(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    struct timeval r = {.tv_sec = 1000 + 100 * RECEIVE}, a = {.tv_sec = 1000 + 100 * ACCEPT}, s = {.tv_sec = 1000 + 100 * SEND};
    CHECK(setsockopt(full[0], SOL_SOCKET, SO_RCVTIMEO, &r, sizeof r) == 0);
    CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &a, sizeof a) == 0);
    CHECK(setsockopt(full[0], SOL_SOCKET, SO_SNDTIMEO, &s, sizeof s) == 0);
    CHECK((epoll = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN}) == 0);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0);
    on_signal(SIGUSR1, SIG_IGN, 0);
    char fill[4096] = "";
    while (send(full[0], fill, sizeof fill, MSG_DONTWAIT) > 0)
        ;
    for (int i = 0; i < COUNT; i++) {
        CHECK(pthread_create(&id, NULL, wait_in, (void *)(intptr_t)i) == 0);
        while (!tids[i])
            usleep(1000);
        until_asleep(tids[i]);
        snprintf(facts + strlen(facts), sizeof facts - strlen(facts), "%s %d\n", names[i], tids[i]);
    }
    snprintf(facts + strlen(facts), sizeof facts - strlen(facts), "pid %d\n", getpid());
    barrier("deadlines", facts);
    CHECK(semctl(set, 0, IPC_RMID) == 0);
    fflush(stdout);
    _exit(0);
}
