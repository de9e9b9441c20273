/* Threads that fork and wait, all at once, while the others run. */
#include "common.h"
static int statuses[6];
static void *forker(void *number)
{
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit((int)(long)number + 1);
        int status;
        CHECK(waitpid(pid, &status, 0) == pid);
        statuses[(long)number] += WEXITSTATUS(status);
    }
    return NULL;
}
int main(void)
{
    pthread_t threads[6];
    for (long i = 0; i < 6; i++)
        CHECK(pthread_create(&threads[i], NULL, forker, (void *)i) == 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 6; i++)
        printf("%d ", statuses[i]);
    puts("");
    return 0;
}
