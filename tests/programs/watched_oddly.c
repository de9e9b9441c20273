/* cflags: -g */
/* A variable behind a pointer that is set late; SIGTRAP blocked and ignored meanwhile; one instruction for load and
   store; a child, a thread, and another program that has it, too. */
#include "common.h"

volatile int plain = 1;
int *behind;
volatile long long wide;
volatile double real;

static void *once(void *argument)
{
    plain = 30;
    return argument;
}

int main(int argc, char **argv)
{
    if (argc > 1) { /* the other program: itself, once more */
        plain = 50;
        return plain != 50;
    }
    behind = malloc(sizeof *behind);
    *behind = 7; /* LINE behind */
    plain++;     /* 2 */

    sigset_t trap;
    sigemptyset(&trap);
    sigaddset(&trap, SIGTRAP);
    CHECK(sigprocmask(SIG_BLOCK, &trap, NULL) == 0);
    plain = 3; /* not seen: the kernel would unblock SIGTRAP for it */
    CHECK(sigprocmask(SIG_BLOCK, NULL, &trap) == 0);
    printf("blocked %d\n", sigismember(&trap, SIGTRAP));
    CHECK(sigprocmask(SIG_UNBLOCK, &trap, NULL) == 0);

    CHECK(signal(SIGTRAP, SIG_IGN) == SIG_DFL);
    plain = 4; /* not seen: it would be set to the default */
    printf("ignored %d\n", signal(SIGTRAP, SIG_DFL) == SIG_IGN);

#if defined __x86_64__
    __asm__ volatile("lock addl $6, %0" : "+m"(plain)); /* LINE update */
#else
    plain += 6;
#endif
    wide = -1;
    real = 0.5;

    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, once, NULL) == 0);
    pthread_join(thread, NULL);
    int status;
    pid_t child = fork();
    if (child == 0) {
        plain = 40;
        execl("/proc/self/exe", "again", "once", NULL);
    }
    CHECK(waitpid(child, &status, 0) == child);
    say_status("child", status);
    printf("plain %d\n", plain);
    return 0;
}
