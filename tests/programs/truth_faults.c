/* Invalid accesses: caught ones of four kinds, each told with its address, then the one that is named, which kills. */
#include "common.h"
#include <setjmp.h>
#define PAGE 4096
static sigjmp_buf back;
static void caught(int signo, siginfo_t *info, void *context)
{
    siglongjmp(back, 1);
}
static void touch(volatile char *at, int write)
{
    if (sigsetjmp(back, 1) == 0) {
        if (write)
            *at = 1;
        else
            (void)*at;
    }
}
static int deep(volatile int depth)
{
    volatile char room[8192];
    room[depth % 8192] = 1;
    return depth > 0 ? deep(depth + 1) + room[0] : 0;
}
int main(int argc, char **argv)
{
    CHECK(argc > 1);
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
    int file = open("short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && ftruncate(file, 5000) == 0);
    char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char *locked = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    char *gone = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    CHECK(at != MAP_FAILED && locked != MAP_FAILED && gone != MAP_FAILED && munmap(gone, PAGE) == 0);
    at[5001] = 1;                   /* within the file's last page: allowed */
    touch(at + 2 * PAGE + 8, 1);    /* past the end of the file */
    touch(locked + 16, 1);          /* read-only */
    touch(gone + 24, 0);            /* not mapped */
    touch((char *)8, 0);            /* next to NULL */
    touch((char *)0xdeadbeef00000000, 0);
    char facts[200];
    snprintf(facts, sizeof facts, "at %ld\nlocked %ld\ngone %ld\n", (long)at, (long)locked, (long)gone);
    barrier("faults", facts);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    if (argv[1][0] == 'b')
        at[3 * PAGE] = 1;
    else if (argv[1][1] == 't')
        return deep(1);
    else
        locked[0] = 1;
    return 0;
}
