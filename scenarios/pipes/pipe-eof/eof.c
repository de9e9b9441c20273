/* usage: eof forget|close
 * A writer sends a line to cat through a pipe, and ends. Does cat end, too? */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int forgets = argc > 1 && strcmp(argv[1], "forget") == 0;
    int ends[2];

    if (pipe(ends) < 0)
        return 1;
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        if (write(ends[1], "one line\n", 9) != 9)
            _exit(1);
        _exit(0);
    }

    pid_t reader = fork();
    if (reader == 0) {
        dup2(ends[0], 0);
        close(ends[0]);
        if (!forgets)
            close(ends[1]); /* without this cat keeps its own pipe open */
        execlp("cat", "cat", (char *)NULL);
        _exit(127);
    }

    close(ends[0]);
    close(ends[1]);
    waitpid(writer, NULL, 0);
    waitpid(reader, NULL, 0);
    puts("both have ended");
    return 0;
}
