/* Makes calls on lines that are marked: a test compares the marks with the lines that are told.
 *
 * Parent and child exchange a byte, by functions of their own, by libc's and by a call of their
 * own making (syscall(2)); the parent sleeps in a wait for the child.
 */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int there[2], back[2];

static void answer(void)
{
    char byte;
    read(there[0], &byte, 1); /* line: child reads */
    write(back[1], "b", 1);   /* line: child writes */
}

static void ask(void)
{
    char byte;
    syscall(SYS_write, there[1], "a", 1); /* line: parent writes */
    read(back[0], &byte, 1);              /* line: parent reads */
}

int main(void)
{
    pipe(there); /* line: first pipe */
    pipe(back);  /* line: second pipe */
    if (fork() == 0) { /* line: fork */
        answer();
        _exit(0);
    }
    ask();
    return wait(NULL) < 0; /* line: wait */
}
