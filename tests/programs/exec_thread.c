/* A thread that is not the leader executes another program, while its siblings sleep and spin. */
#include "common.h"
static void *sleeper(void *unused) { for (;;) pause(); return unused; }
static void *spinner(void *unused) { for (volatile int i = 0;; i++) ; return unused; }
static void *executor(void *pid)
{
    char text[32];
    usleep(20000);
    snprintf(text, sizeof text, "%ld", (long)pid);
    execl("/bin/sh", "sh", "-c", "[ $$ = $0 ] && echo same process && exit 7", text, (char *)NULL);
    _exit(99);
}
int main(void)
{
    pthread_t t;
    CHECK(pthread_create(&t, NULL, sleeper, NULL) == 0);
    CHECK(pthread_create(&t, NULL, spinner, NULL) == 0);
    CHECK(pthread_create(&t, NULL, executor, (void *)(long)getpid()) == 0);
    pthread_join(t, NULL);
    return 98;
}
