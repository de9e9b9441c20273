/* Handlers inside handlers on an alternate stack, and one that leaves by siglongjmp. */
#include "common.h"
#include <setjmp.h>
static int depth, deepest;
static sigjmp_buf back;
static char trail[64];
static void nested(int signo)
{
    int here;
    stack_t now;
    sigaltstack(NULL, &now);
    depth++;
    if (depth > deepest)
        deepest = depth;
    snprintf(trail + strlen(trail), sizeof trail - strlen(trail), " %d%s", signo,
             (char *)&here >= (char *)now.ss_sp && (char *)&here < (char *)now.ss_sp + now.ss_size ? "alt" : "");
    if (signo == SIGUSR1)
        raise(SIGUSR2);
    else if (signo == SIGUSR2)
        raise(SIGHUP);
    depth--;
}
static void leave(int signo) { siglongjmp(back, signo); }
int main(void)
{
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    CHECK(sigaltstack(&stack, NULL) == 0);
    on_signal(SIGUSR1, nested, SA_ONSTACK);
    on_signal(SIGUSR2, nested, SA_ONSTACK | SA_NODEFER);
    on_signal(SIGHUP, nested, 0);
    on_signal(SIGSEGV, leave, SA_ONSTACK);
    raise(SIGUSR1);
    printf("deepest %d:%s\n", deepest, trail);
    int left = 0;
    for (volatile int i = 0; i < 3; i++)
        if (sigsetjmp(back, 1) == 0)
            *(volatile int *)8 = 1;
        else
            left++;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf("left %d faults, SIGSEGV blocked %d\n", left, sigismember(&mask, SIGSEGV));
    fflush(stdout);
    signal(SIGSEGV, SIG_DFL);
    *(volatile int *)8 = 1;
    return 98;
}
