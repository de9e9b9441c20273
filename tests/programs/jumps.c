/* Handlers on alternate stacks, left by a return or by a jump: one on the heap, one within main's own frame, a thread's. */
#include "common.h"
#include <setjmp.h>
static sigjmp_buf back;
static void stay(int signo) { (void)signo, getppid(), access("/", F_OK); }
static void leave(int signo) { (void)signo, access("/", F_OK), siglongjmp(back, 1); }
static void deeper(int signo) { (void)signo, raise(SIGUSR2); }
static void both(const char *what, void *place, size_t size)
{
    stack_t stack = {.ss_sp = place, .ss_size = size, .ss_flags = place ? 0 : SS_DISABLE};
    CHECK(sigaltstack(&stack, NULL) == 0);
    on_signal(SIGUSR1, stay, SA_ONSTACK);
    raise(SIGUSR1);
    on_signal(SIGUSR1, leave, SA_ONSTACK);
    if (sigsetjmp(back, 1) == 0)
        raise(SIGUSR1);
    /* From a handler inside a handler: both are left at once. */
    on_signal(SIGUSR1, deeper, SA_ONSTACK);
    on_signal(SIGUSR2, leave, 0);
    if (sigsetjmp(back, 1) == 0)
        raise(SIGUSR1);
    CHECK(access("/", F_OK) == 0);
    printf("%s\n", what);
}
static void *thread(void *unused)
{
    char place[65536];
    both("none yet", NULL, 0);
    both("a thread's", place, sizeof place);
    return unused;
}
int main(void)
{
    char place[65536];
    pthread_t id;
    both("none", NULL, 0);
    both("heap", malloc(65536), 65536);
    both("frame", place, sizeof place);
    CHECK(pthread_create(&id, NULL, thread, NULL) == 0 && pthread_join(id, NULL) == 0);
    return 0;
}
