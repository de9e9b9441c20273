/* Threads that sit in calls which a tracer could cut short; each counts what went wrong, and the program says so. */
#include "common.h"
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/un.h>
static atomic_int over, cut, part, turns, signals, slower = 1;
static int big[2], words[2], pair[2], queue, set, lonely[2];

#define TURN(name) static void *name(void *unused)
static void judge(ssize_t got, ssize_t wanted)
{
    if (got < 0 && errno == EINTR)
        cut++;
    else if (got >= 0 && wanted >= 0 && got != wanted)
        part++;
    turns++;
}
TURN(epoll)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    while (!over)
        judge(epoll_wait(fd, &event, 1, 7), 0);
    return NULL;
}
TURN(epoll_briefly)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    while (!over)
        judge(epoll_wait(fd, &event, 1, 1), 0);
    return NULL;
}
TURN(epoll_for_ever)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(fd, EPOLL_CTL_ADD, lonely[0], &event) == 0);
    judge(epoll_wait(fd, &event, 1, -1), 1);
    return NULL;
}
TURN(write_big)
{
    static char data[300000];
    while (!over)
        judge(write(big[1], data, sizeof data), sizeof data);
    close(big[1]);
    return NULL;
}
TURN(read_slowly)
{
    static char data[50000];
    while (read(big[0], data, sizeof data) > 0)
        usleep(1000 * slower);
    return NULL;
}
TURN(read_words)
{
    char word[16];
    for (;;) {
        ssize_t got = read(words[0], word, sizeof word);
        if (!got)
            return NULL;
        judge(got, -1);
    }
}
TURN(write_words)
{
    while (!over) {
        judge(write(words[1], "0123456789", 10), 10);
        usleep(3000 * slower);
    }
    close(words[1]);
    return NULL;
}
TURN(receive_all)
{
    char data[4000];
    while (!over)
        judge(recv(pair[0], data, sizeof data, MSG_WAITALL), sizeof data);
    return NULL;
}
TURN(send_some)
{
    char data[1000] = "";
    while (!over) {
        judge(send(pair[1], data, sizeof data, MSG_NOSIGNAL), sizeof data);
        usleep(2000 * slower);
    }
    shutdown(pair[1], SHUT_WR);
    return NULL;
}
TURN(semaphore)
{
    struct sembuf down = {.sem_num = 0, .sem_op = -1};
    struct timespec limit = {.tv_nsec = 5000000};
    while (!over)
        judge(semtimedop(set, &down, 1, &limit) < 0 && errno == EAGAIN ? 0 : -1, 0);
    return NULL;
}
TURN(message)
{
    struct { long type; char text[8]; } m;
    while (msgrcv(queue, &m, 8, 1, 0) >= 0)
        judge(0, 0);
    if (errno == EINTR)
        judge(-1, 0);
    return NULL;
}
TURN(send_messages)
{
    struct { long type; char text[8]; } m = {.type = 1};
    while (!over) {
        judge(msgsnd(queue, &m, 8, 0), 0);
        usleep(4000 * slower);
    }
    return NULL;
}
TURN(wait_for_signal)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGRTMIN + 1);
    struct timespec limit = {.tv_nsec = 6000000};
    while (!over) {
        int got = sigtimedwait(&wanted, NULL, &limit);
        judge(got < 0 && errno == EAGAIN ? 0 : got, 0);
    }
    return NULL;
}
TURN(sleep_exactly)
{
    struct timespec time = {.tv_nsec = 2000000};
    while (!over)
        judge(nanosleep(&time, NULL), 0);
    return NULL;
}
TURN(compute)
{
    volatile unsigned long n = 0;
    while (!over)
        if (!(++n % 50000000))
            turns++;
    return NULL;
}
static void counted(int signo) { signals++; }

int main(void)
{
    void *(*all[])(void *) = {epoll, epoll_for_ever, write_big, read_slowly, read_words, write_words, receive_all, send_some,
                              semaphore, message, send_messages, wait_for_signal, sleep_exactly, compute,
                              epoll_briefly, epoll_briefly, epoll_briefly, epoll_briefly};
    enum { COUNT = sizeof all / sizeof *all };
    pthread_t threads[COUNT];
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 1);
    sigaddset(&blocked, SIGRTMIN + 2);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    on_signal(SIGRTMIN + 2, counted, SA_RESTART);
    CHECK(pipe(big) == 0 && pipe(words) == 0 && pipe(lonely) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK((queue = msgget(IPC_PRIVATE, 0600)) >= 0 && (set = semget(IPC_PRIVATE, 1, 0600)) >= 0);
    for (int i = 0; i < COUNT; i++)
        CHECK(pthread_create(&threads[i], NULL, all[i], NULL) == 0);
    /* Only this thread takes the counted signals. */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 2);
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    char facts[100];
    snprintf(facts, sizeof facts, "pid %d\nsignal %d\n", getpid(), SIGRTMIN + 2);
    barrier("busy", facts);
    /* Below the budget of what is traced. */
    slower = 8;
    barrier("calm", facts);
    over = 1;
    CHECK(write(lonely[1], "", 1) == 1);
    pthread_join(threads[10], NULL);
    msgctl(queue, IPC_RMID, NULL);
    for (int i = 0; i < COUNT; i++)
        if (i != 10)
            pthread_join(threads[i], NULL);
    semctl(set, 0, IPC_RMID);
    /* recv is told of the end by a part: the one that is right. */
    printf("cut short %d, parts %d, signals %d, enough %d\n", cut, part > 1 ? part : 0, signals, turns > 100);
    return 0;
}
