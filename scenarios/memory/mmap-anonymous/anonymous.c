/* A variable inside shared memory of no file, and one beside it: anonymous anonymous|zero */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int beside; /* an ordinary variable: fork gives the child a copy of its own */

static int *map_shared(int zero)
{
    /* The old way: a shared mapping of /dev/zero is memory of no file, too. */
    int fd = zero ? open("/dev/zero", O_RDWR) : -1;
    int flags = zero ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
    void *memory = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, flags, fd, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    if (zero)
        close(fd);
    return memory;
}

int main(int argc, char **argv)
{
    char address[32];
    int status;

    if (argc > 2) { /* the stranger: it knows the address, and has no such memory */
        int *theirs = (int *)(uintptr_t)strtoull(argv[2], NULL, 0);
        printf("stranger: %d\n", *theirs);
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int *inside = map_shared(argc > 1 && strcmp(argv[1], "zero") == 0);
    printf("new memory: inside = %d\n", *inside);

    if (fork() == 0) {
        beside = beside + 1;
        *inside = *inside + 1;
        printf("child:  beside = %d, inside = %d\n", beside, *inside);
        return 0;
    }
    wait(NULL);
    printf("parent: beside = %d, inside = %d\n", beside, *inside);

    snprintf(address, sizeof address, "%p", (void *)inside);
    if (fork() == 0) {
        execl("/proc/self/exe", argv[0], "stranger", address, (char *)NULL);
        _exit(127);
    }
    wait(&status);
    if (WIFSIGNALED(status))
        printf("the stranger was ended by signal %d\n", WTERMSIG(status));
    return 0;
}
