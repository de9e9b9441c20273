/* Watches variables of its own by perf_event_open(2), as a debugger in the program would. own_watch REGISTERS early|late:
   it maps shared memory early, before it asks for registers, or late. */
#include "common.h"
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <sys/syscall.h>

static volatile long mine[4] __attribute__((aligned(8)));

static volatile long *map(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    int wanted = atoi(argv[1]), fds[4], had = 0;
    volatile long *shared = NULL;
    if (!strcmp(argv[2], "early"))
        shared = map();
    while (had < wanted) {
        struct perf_event_attr watch = {.type = PERF_TYPE_BREAKPOINT, .size = sizeof watch};
        watch.bp_type = HW_BREAKPOINT_W, watch.bp_addr = (uintptr_t)&mine[had], watch.bp_len = HW_BREAKPOINT_LEN_8;
        watch.exclude_kernel = watch.exclude_hv = 1;
        if ((fds[had] = syscall(SYS_perf_event_open, &watch, 0, -1, -1, 0)) < 0)
            break;
        had++;
    }
    if (had < wanted)
        printf("no debug register: %s\n", strerror(errno));
    if (shared == NULL)
        shared = map();
    for (int turn = 0; turn < 100; turn++) {
        for (int n = 0; n < 4; n++)
            mine[n] = turn;
        (*shared)++;
    }
    for (int n = 0; n < had; n++) {
        uint64_t count = 0;
        CHECK(read(fds[n], &count, sizeof count) == sizeof count);
        printf("%d: %llu stores\n", n, (unsigned long long)count);
    }
    return 0;
}
