/* Does what it is told, one order at a time (see tests/integration/ordered.py): orders come by the FIFO orders.ID, answers go into one. */
#include "common.h"
enum { CONTROL = 200, ANSWERS = 201 };
enum op { BORN, PIPE, DUP, DUP2, CLOSE, FORK, WRITE, READ, KILL, EXEC, CLOEXEC, DUP_CLOEXEC, REAP, RESIZE, SPLICE, TEE, NAMED };
struct order {
    int32_t number, op, a, b, c;
};
struct answer {
    int32_t id, pid, number, op, result, error;
    int64_t buffer;
};
static char buffer[1 << 17];
static int id;
static void answer(int number, int op, int result)
{
    struct answer all = {id, getpid(), number, op, result, result < 0 ? errno : 0, (int64_t)(uintptr_t)buffer};
    CHECK(write(ANSWERS, &all, sizeof all) == sizeof all);
}
static void take_orders(void)
{
    char path[32];
    snprintf(path, sizeof path, "orders.%d", id);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && dup2(fd, CONTROL) == CONTROL && close(fd) == 0);
}
static int do_write(int number, int fd, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t x = ((uint32_t)number * 1000003u + i) * 2654435761u;
        buffer[i] = (char)(x >> 15 ^ x >> 24);
    }
    return write(fd, buffer, count);
}
static int make_fifo(int number, int *ends)
{
    char name[32];
    snprintf(name, sizeof name, "fifo.%d", number);
    if (mkfifo(name, 0600) < 0 || (ends[0] = open(name, O_RDONLY | O_NONBLOCK)) < 0)
        return -1;
    ends[1] = open(name, O_WRONLY);
    unlink(name);
    return ends[1] < 0 ? -1 : fcntl(ends[0], F_SETFL, 0);
}
static int obey(const struct order *o, char **argv)
{
    int ends[2], result;
    char number[16];
    switch (o->op) {
    case PIPE:
        result = pipe2(ends, o->a);
        return result < 0 ? result : ends[0] << 16 | ends[1];
    case DUP:
        return dup(o->a);
    case DUP2:
        return dup2(o->a, o->b);
    case CLOSE:
        return close(o->a);
    case FORK:
        result = fork();
        if (result == 0) {
            id = o->a;
            take_orders();
            answer(0, BORN, 0);
            return -2;
        }
        return result;
    case WRITE:
        return do_write(o->number, o->a, o->c);
    case READ:
        return read(o->a, buffer, o->c);
    case KILL:
        return kill(o->a, SIGKILL);
    case EXEC:
        snprintf(number, sizeof number, "%d", o->number);
        argv[2] = number;
        return execv("/proc/self/exe", argv);
    case CLOEXEC:
        return fcntl(o->a, F_SETFD, o->b);
    case DUP_CLOEXEC:
        return fcntl(o->a, F_DUPFD_CLOEXEC, o->b);
    case RESIZE:
        return fcntl(o->a, F_SETPIPE_SZ, o->b);
    case SPLICE:
        return splice(o->a, NULL, o->b, NULL, o->c, SPLICE_F_NONBLOCK);
    case TEE:
        return tee(o->a, o->b, o->c, SPLICE_F_NONBLOCK);
    case NAMED:
        result = make_fifo(o->number, ends);
        return result < 0 ? result : ends[0] << 16 | ends[1];
    case REAP:
        while ((result = waitpid(-1, NULL, WNOHANG)) > 0) {
        }
        return 0;
    }
    return -1;
}
int main(int argc, char **argv)
{
    static char name[16], *again[4];
    CHECK(argc > 1);
    id = atoi(argv[1]);
    if (argc > 2) {
        answer(atoi(argv[2]), EXEC, 0);
    } else {
        int fd = open("answers", O_WRONLY);
        CHECK(fd >= 0 && dup2(fd, ANSWERS) == ANSWERS && close(fd) == 0);
        take_orders();
        answer(0, BORN, 0);
    }
    struct order order;
    while (read(CONTROL, &order, sizeof order) == sizeof order) {
        snprintf(name, sizeof name, "%d", id);
        again[0] = argv[0];
        again[1] = name;
        int result = obey(&order, again);
        if (order.op != FORK || result != -2)
            answer(order.number, order.op, result);
    }
    return 0;
}
