/* N children at once (500 if not told), all alive together, each exits with a status of its own. */
#include "common.h"
int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 500, made = 0, ends[2];
    long sum = 0;
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            char c;
            close(ends[1]);
            _exit(read(ends[0], &c, 1) == 0 ? i % 200 : 255);
        }
        made += pid > 0;
    }
    close(ends[0]);
    close(ends[1]);
    int status, reaped = 0;
    while (wait(&status) > 0) {
        reaped++;
        sum += WEXITSTATUS(status);
    }
    printf("made %d, reaped %d, sum %ld\n", made, reaped, sum);
    return 0;
}
