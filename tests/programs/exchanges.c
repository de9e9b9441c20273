/* cflags: -lrt */
/* Two processes that hand a token to and fro, by each way that there is; at the end much goes through a pipe at once. */
#include "common.h"
#include <arpa/inet.h>
#include <mqueue.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#define TIMES 30
#define MUCH 300000
static char room[65536] = "x";
static void turns(int mine, int other)
{
    if (fork() == 0) {
        for (int i = 0; i < TIMES; i++)
            read(other, room, 8), write(other, room, 8);
        _exit(0);
    }
    for (int i = 0; i < TIMES; i++)
        write(mine, room, 8), read(mine, room, 8);
    wait(NULL);
}
static void by_counters(void)
{
    uint64_t one = 1;
    int there = eventfd(0, 0), back = eventfd(0, 0);
    if (fork() == 0) {
        for (int i = 0; i < TIMES; i++)
            read(there, &one, 8), write(back, &one, 8);
        _exit(0);
    }
    for (int i = 0; i < TIMES; i++)
        write(there, &one, 8), read(back, &one, 8);
    wait(NULL);
}
static int bound(int type, struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, type, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(bind(fd, (void *)address, size) == 0 && getsockname(fd, (void *)address, &size) == 0);
    return fd;
}
static void by_tcp(void)
{
    struct sockaddr_in address;
    int listener = bound(SOCK_STREAM, &address), client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listen(listener, 1) == 0 && connect(client, (void *)&address, sizeof address) == 0);
    turns(accept(listener, NULL, NULL), client);
}
static void by_udp(void)
{
    struct sockaddr_in one, two;
    int a = bound(SOCK_DGRAM, &one), b = bound(SOCK_DGRAM, &two);
    CHECK(connect(a, (void *)&two, sizeof two) == 0 && connect(b, (void *)&one, sizeof one) == 0);
    turns(a, b);
}
static void by_pair(int type)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, type, 0, ends) == 0);
    turns(ends[0], ends[1]);
}
static void by_pipes(void)
{
    int there[2], back[2];
    CHECK(pipe(there) == 0 && pipe(back) == 0);
    if (fork() == 0) {
        for (int i = 0; i < TIMES; i++)
            read(there[0], room, 1), write(back[1], room, 1);
        _exit(0);
    }
    for (int i = 0; i < TIMES; i++)
        write(there[1], room, 1), read(back[0], room, 1);
    wait(NULL);
}
static void by_posix_queues(void)
{
    mqd_t queues[2];
    for (int i = 0; i < 2; i++) {
        struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
        char name[64];
        snprintf(name, sizeof name, "/ipcviz-exchanges-%d-%d", getpid(), i);
        queues[i] = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
        CHECK(queues[i] >= 0 && mq_unlink(name) == 0);
    }
    if (fork() == 0) {
        for (int i = 0; i < TIMES; i++)
            mq_receive(queues[0], room, 16, NULL), mq_send(queues[1], room, 1, 0);
        _exit(0);
    }
    for (int i = 0; i < TIMES; i++)
        mq_send(queues[0], room, 1, 0), mq_receive(queues[1], room, 16, NULL);
    wait(NULL);
}
static void by_system_v(void)
{
    struct { long type; char text[4]; } message = {.type = 1};
    int queue = msgget(IPC_PRIVATE, 0600), set = semget(IPC_PRIVATE, 2, 0600);
    if (fork() == 0) {
        for (int i = 0; i < TIMES; i++) {
            msgrcv(queue, &message, 4, 1, 0);
            message.type = 2, msgsnd(queue, &message, 1, 0);
        }
        for (int i = 0; i < TIMES; i++)
            semop(set, &(struct sembuf){.sem_num = 0, .sem_op = -1}, 1), semop(set, &(struct sembuf){.sem_num = 1, .sem_op = 1}, 1);
        _exit(0);
    }
    for (int i = 0; i < TIMES; i++) {
        message.type = 1, msgsnd(queue, &message, 1, 0);
        msgrcv(queue, &message, 4, 2, 0);
    }
    for (int i = 0; i < TIMES; i++)
        semop(set, &(struct sembuf){.sem_num = 0, .sem_op = 1}, 1), semop(set, &(struct sembuf){.sem_num = 1, .sem_op = -1}, 1);
    wait(NULL);
    CHECK(msgctl(queue, IPC_RMID, NULL) == 0 && semctl(set, 0, IPC_RMID) == 0);
}
static void much(void)
{
    static char text[MUCH];
    int ends[2];
    CHECK(pipe(ends) == 0);
    if (fork() == 0) {
        close(ends[1]);
        while (read(ends[0], room, sizeof room) > 0)
            ;
        execl("/bin/true", "-q", (char *)NULL);
    }
    CHECK(write(ends[1], text, MUCH) == MUCH);
    close(ends[1]);
    wait(NULL);
}
int main(void)
{
    by_pipes();
    by_pair(SOCK_STREAM);
    by_pair(SOCK_DGRAM);
    by_pair(SOCK_SEQPACKET);
    by_tcp();
    by_udp();
    by_counters();
    by_posix_queues();
    by_system_v();
    much();
    return 0;
}
