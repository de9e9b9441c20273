/* vfork, then exec that works, exec that fails, and an exit without exec. */
#include "common.h"
int main(void)
{
    const char *paths[] = {"/bin/true", "/nonexistent", NULL};
    for (volatile int i = 0; i < 3; i++) {
        volatile int shared = 0;
        pid_t pid = vfork();
        if (pid == 0) {
            shared = 42;
            if (paths[i])
                execl(paths[i], "child", (char *)NULL);
            _exit(20 + i);
        }
        int status;
        CHECK(waitpid(pid, &status, 0) == pid);
        say_status("child", status);
        printf("shared memory: %d\n", shared);
    }
    return 3;
}
