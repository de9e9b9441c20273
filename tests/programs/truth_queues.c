/* cflags: -lrt */
/* Message queues of both kinds: what waits in them, who is blocked on them, as msgctl and mq_getattr say. */
#include "common.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
struct message { long type; char text[64]; };
static void put(int id, long type, const char *text)
{
    struct message m = {.type = type};
    strcpy(m.text, text);
    CHECK(msgsnd(id, &m, strlen(text), 0) == 0);
}
int main(int argc, char **argv)
{
    CHECK(argc > 1);
    int id = msgget(IPC_PRIVATE, 0600);
    CHECK(id >= 0);
    put(id, 5, "five"), put(id, 7, "seven\n"), put(id, 5, "five again");
    pid_t receiver = fork();
    if (receiver == 0) {
        struct message m;
        CHECK(msgrcv(id, &m, sizeof m.text, 9, 0) == 4);
        _exit(0);
    }
    struct mq_attr limits = {.mq_maxmsg = 3, .mq_msgsize = 32};
    char other[200], text[64];
    snprintf(other, sizeof other, "%s-told", argv[1]);
    mqd_t full = mq_open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600, &limits), told = mq_open(other, O_RDWR | O_CREAT | O_EXCL, 0600, &limits);
    CHECK(full != -1 && told != -1);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};
    CHECK(mq_notify(told, &event) == 0);
    CHECK(mq_send(full, "low", 3, 1) == 0 && mq_send(full, "high", 4, 30) == 0 && mq_send(full, "mid", 3, 7) == 0);
    pid_t sender = fork();
    if (sender == 0)
        _exit(mq_send(full, "late", 4, 2) != 0);
    until_asleep(receiver), until_asleep(sender);
    struct msqid_ds now;
    struct mq_attr attributes;
    CHECK(msgctl(id, IPC_STAT, &now) == 0 && mq_getattr(full, &attributes) == 0);
    char facts[400];
    snprintf(facts, sizeof facts, "pid %d\nreceiver %d\nsender %d\nid %d\nmessages %ld\nbytes %ld\nlimit %ld\nfull %d\ntold %d\ncount %ld\n", getpid(),
             receiver, sender, id, (long)now.msg_qnum, (long)now.__msg_cbytes, (long)now.msg_qbytes, full, told, attributes.mq_curmsgs);
    barrier("queued", facts);
    unsigned priority;
    CHECK(mq_receive(full, text, sizeof text, &priority) == 4 && priority == 30);
    put(id, 9, "nine");
    int status;
    while (wait(&status) > 0)
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct message m;
    CHECK(msgrcv(id, &m, sizeof m.text, 0, 0) == 4 && m.type == 5 && memcmp(m.text, "five", 4) == 0);
    CHECK(msgrcv(id, &m, sizeof m.text, 0, 0) == 6 && m.type == 7);
    CHECK(msgrcv(id, &m, sizeof m.text, 0, 0) == 10 && m.type == 5);
    put(id, 3, "longer than its room");
    CHECK(msgrcv(id, &m, 6, -4, MSG_NOERROR) == 6);
    now.msg_qbytes = 24;
    CHECK(msgctl(id, IPC_SET, &now) == 0 && msgctl(id, IPC_RMID, NULL) == 0);
    attributes.mq_flags = O_NONBLOCK;
    CHECK(mq_setattr(told, &attributes, NULL) == 0 && mq_receive(told, text, sizeof text, NULL) == -1 && errno == EAGAIN);
    mq_unlink(argv[1]), mq_unlink(other);
    return 0;
}
