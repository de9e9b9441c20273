/* clone(2) by itself: shared memory and descriptors, no exit signal, a thread-like sibling, clone3. */
#include "common.h"
#include <linux/sched.h>
static volatile int touched;
static int ends[2];
static int child(void *arg)
{
    touched += (int)(long)arg;
    if ((long)arg == 1)
        close(ends[0]);
    return 5 + (int)(long)arg;
}
int main(void)
{
    static char stack[4][65536] __attribute__((aligned(16)));
    int status;
    signal(SIGUSR1, SIG_IGN);
    CHECK(pipe(ends) == 0);
    pid_t pid = clone(child, stack[0] + 65536, CLONE_VM | CLONE_FILES | SIGCHLD, (void *)1L);
    CHECK(waitpid(pid, &status, 0) == pid);
    say_status("clone(VM, FILES)", status);
    printf("touched %d, read end %s\n", touched, fcntl(ends[0], F_GETFD) < 0 ? "closed for us too" : "open");
    pid = clone(child, stack[1] + 65536, CLONE_VM, (void *)2L);
    CHECK(waitpid(pid, &status, 0) < 0 && errno == ECHILD);
    CHECK(waitpid(pid, &status, __WCLONE) == pid);
    say_status("clone without exit signal", status);
    pid = clone(child, stack[2] + 65536, CLONE_VFORK | SIGUSR1, (void *)3L);
    CHECK(pid > 0);
    CHECK(waitpid(pid, &status, __WALL) == pid);
    say_status("clone(VFORK) with SIGUSR1", status);
    struct clone_args args = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(11);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    say_status("clone3", status);
    return 0;
}
