/* A store to a page that may only be read, with a handler for SIGSEGV or without: segv no|yes */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int *number;
static long page;

/* The kernel says at which address it was. printf is not for handlers, write is. */
static void mend(int signo, siginfo_t *info, void *context)
{
    static const char text[] = "handler: the page may be written from now on\n";

    (void)signo;
    (void)context;
    if (info->si_addr != (void *)number)
        _exit(1); /* another fault than ours: nothing to mend */
    write(STDOUT_FILENO, text, sizeof text - 1);
    mprotect(number, page, PROT_READ | PROT_WRITE); /* on Linux a plain system call */
} /* after a handler for a fault the same instruction runs again */

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO};

    setvbuf(stdout, NULL, _IOLBF, 0);
    page = sysconf(_SC_PAGESIZE);
    number = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (number == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "yes") == 0)
        sigaction(SIGSEGV, &action, NULL);
    *number = 1;
    mprotect(number, page, PROT_READ); /* from here on the page may only be read */
    printf("the number is %d, and may only be read\n", *number);
    *number = 2; /* the processor does not do it, and asks the kernel */
    printf("the number is %d\n", *number);
    return 0;
}
