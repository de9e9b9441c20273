/* A number goes from printf in one process to scanf in the other, through a pipe. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int ends[2], number = 0;

    if (pipe(ends) < 0) /* before fork: so both have both ends */
        return 1;
    if (fork() == 0) {
        dup2(ends[1], 1); /* standard output is the pipe now */
        close(ends[0]);
        close(ends[1]);
        printf("%d\n", 5000);
        return 0; /* flushes: the number is written here */
    }
    dup2(ends[0], 0); /* standard input is the pipe now */
    close(ends[0]);
    close(ends[1]);
    if (scanf("%d", &number) != 1)
        return 1;
    wait(NULL);
    printf("the number is %d\n", number);
    return 0;
}
