/* Reads texts from shared.dat, by memory alone: consumer ROUNDS DELAY */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hello.h"

/* The file, once it is there and has its size. */
static int open_shared(void)
{
    struct stat file;
    int fd;

    while ((fd = open("shared.dat", O_RDONLY)) < 0)
        usleep(50000);
    while (fstat(fd, &file) == 0 && file.st_size < (off_t)sizeof(struct hello))
        usleep(50000);
    return fd;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 2;
    double delay = argc > 2 ? atof(argv[2]) : 0.3;
    char copy[TEXT_SIZE];

    int fd = open_shared();
    struct hello *shared = mmap(NULL, sizeof *shared, PROT_READ, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    close(fd);
    printf("consumer: mapped at %p\n", (void *)shared);
    fflush(stdout);
    for (int n = 0; n < rounds; n++) {
        int length = shared->length;
        memcpy(copy, shared->text, (size_t)length); /* nobody says whether both are of one text */
        printf("consumer: '%.*s'\n", length, copy);
        fflush(stdout);
        usleep((useconds_t)(delay * 1e6));
    }
    munmap(shared, sizeof *shared);
    return 0;
}
