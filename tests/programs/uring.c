/* An io_uring writes into a pipe and reads from another one: bytes that no call of the process moves. */
#include "common.h"
#include <linux/io_uring.h>
static struct io_uring_params params;
static struct io_uring_sqe *entries;
static char *submitted, *completed;
static int ring;
#define IN(base, offset) (*(volatile unsigned *)((base) + (offset)))
static int by_ring(int opcode, int fd, void *data, unsigned size)
{
    unsigned tail = IN(submitted, params.sq_off.tail), at = tail & IN(submitted, params.sq_off.ring_mask);
    entries[at] = (struct io_uring_sqe){.opcode = opcode, .fd = fd, .addr = (uintptr_t)data, .len = size};
    (&IN(submitted, params.sq_off.array))[at] = at;
    __atomic_store_n(&IN(submitted, params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    CHECK(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
    unsigned head = IN(completed, params.cq_off.head);
    struct io_uring_cqe *all = (struct io_uring_cqe *)(completed + params.cq_off.cqes);
    int result = all[head & IN(completed, params.cq_off.ring_mask)].res;
    __atomic_store_n(&IN(completed, params.cq_off.head), head + 1, __ATOMIC_RELEASE);
    return result;
}
int main(int argc, char **argv)
{
    int before[2], after[2];
    char text[64];
    CHECK(pipe(before) == 0);
    if ((ring = syscall(SYS_io_uring_setup, 4, &params)) < 0) {
        printf("no io_uring: %s\n", strerror(errno));
        return 0;
    }
    int how = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_POPULATE;
    submitted = mmap(NULL, params.sq_off.array + 4 * params.sq_entries, how, shared, ring, IORING_OFF_SQ_RING);
    completed = mmap(NULL, params.cq_off.cqes + 16 * params.cq_entries, how, shared, ring, IORING_OFF_CQ_RING);
    entries = mmap(NULL, 64 * params.sq_entries, how, shared, ring, IORING_OFF_SQES);
    CHECK(submitted != MAP_FAILED && completed != MAP_FAILED && entries != MAP_FAILED && pipe(after) == 0);
    int wrote = by_ring(IORING_OP_WRITE, before[1], "by the ring", 11), got = read(before[0], text, sizeof text);
    CHECK(write(after[1], "by a call", 9) == 9);
    int took = by_ring(IORING_OP_READ, after[0], text, 4);
    pid_t child = fork();
    if (child == 0) {
        until_asleep(getppid());
        if (argc > 1)
            barrier("asleep", "");
        CHECK(write(before[1], "x", 1) == 1);
        _exit(0);
    }
    int late = by_ring(IORING_OP_READ, before[0], text, 1);
    CHECK(wait(NULL) == child);
    printf("wrote %d, got %d, took %d, late %d\n", wrote, got, took, late);
    return 0;
}
