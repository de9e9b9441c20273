/* usage: connect2 close|forget P1 [ARGUMENT...] -- P2 [ARGUMENT...]
 * Runs two programs with a pipe between them, as a shell does for P1 | P2. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int ends[2], middle = 2;

    while (middle < argc && strcmp(argv[middle], "--") != 0)
        middle++;
    if (middle < 3 || middle > argc - 2 || pipe(ends) < 0) {
        fprintf(stderr, "usage: connect2 close|forget P1 [ARGUMENT...] -- P2 [ARGUMENT...]\n");
        return 2;
    }
    argv[middle] = NULL; /* the words of P1 end here */

    pid_t left = fork();
    if (left == 0) {
        dup2(ends[1], 1); /* what P1 prints goes into the pipe */
        close(ends[0]);
        close(ends[1]);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }

    pid_t right = fork();
    if (right == 0) {
        dup2(ends[0], 0); /* what P2 reads comes out of it */
        close(ends[0]);
        close(ends[1]);
        execvp(argv[middle + 1], argv + middle + 1);
        perror(argv[middle + 1]);
        _exit(127);
    }

    if (strcmp(argv[1], "forget") != 0) {
        close(ends[0]);
        close(ends[1]); /* else P2 never sees the end of file */
    }
    waitpid(left, NULL, 0);
    waitpid(right, NULL, 0);
    puts("both have ended");
    return 0;
}
