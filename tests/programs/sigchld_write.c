/* SIGCHLD, SIGWINCH and an ignored SIGUSR1 arrive during one long write to a pipe: it must come back whole. After an
   ignored one comes one with a handler: it must come back with all that was written by then. */
#include "common.h"
static void handled(int signo) {}
static void cut_in_the_end(pid_t me, char *data, long size)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    on_signal(SIGUSR2, handled, SA_RESTART);
    pid_t reader = fork();
    if (reader == 0) {
        static char buffer[70000];
        const int signals[] = {SIGUSR1, SIGUSR2};
        for (int i = 0; i < 2; i++) {
            until_asleep(me);
            CHECK(read(ends[0], buffer, sizeof buffer) > 0);
            until_asleep(me);
            kill(me, signals[i]);
        }
        _exit(0);
    }
    printf("a part: %ld\n", (long)write(ends[1], data, size));
    waitpid(reader, NULL, 0);
}
int main(int argc, char **argv)
{
    (void)argv;
    const long size = 1 << 20;
    int ends[2];
    CHECK(pipe(ends) == 0);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGCHLD, argc > 1 ? SIG_IGN : SIG_DFL);
    pid_t parent = getpid();
    pid_t reader = fork();
    CHECK(reader >= 0);
    if (reader == 0) {
        static char buffer[8192];
        long total = 0, n;
        close(ends[1]);
        for (int i = 0; i < 5; i++) {
            until_asleep(parent);
            kill(parent, i % 2 ? SIGWINCH : SIGUSR1);
            pid_t pid = i == 2 ? fork() : -1;
            if (pid == 0)
                _exit(0);
            if (pid > 0)
                waitpid(pid, NULL, 0);
            total += read(ends[0], buffer, sizeof buffer);
        }
        while ((n = read(ends[0], buffer, sizeof buffer)) > 0)
            total += n;
        printf("reader got %ld\n", total);
        return 0;
    }
    pid_t dies = fork();
    if (dies == 0) {
        until_asleep(parent);
        _exit(1);
    }
    close(ends[0]);
    char *data = malloc(size);
    memset(data, 'x', size);
    long n = write(ends[1], data, size);
    printf("one write: %ld of %ld\n", n, size);
    fflush(stdout);
    close(ends[1]);
    cut_in_the_end(parent, data, size);
    int status;
    while (wait(&status) > 0)
        ;
    return 0;
}
