/* A child made with CLONE_UNTRACED does its calls as any other does. */
#include "common.h"
#include <linux/sched.h>
int main(void)
{
    pid_t pid = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        int ends[2];
        char c;
        if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1 || read(ends[0], &c, 1) != 1)
            _exit(errno);
        close(ends[0]);
        int copy = dup(ends[1]);
        _exit(copy < 0 ? errno : 0);
    }
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    say_status("untraced child", status);
    return 0;
}
