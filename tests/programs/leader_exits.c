/* The leader ends by pthread_exit; a thread goes on, forks from there, and ends the process with status 9. */
#include "common.h"
static void *rest(void *waits)
{
    usleep(30000);
    if (waits)
        barrier("alone", "");
    pid_t pid = fork();
    if (pid == 0)
        execl("/bin/echo", "echo", "from a thread's child", (char *)NULL);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    say_status("child", status);
    exit(9);
    return NULL;
}
int main(int argc, char **argv)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, rest, argc > 1 ? argv : NULL) == 0);
    pthread_exit(NULL);
}
