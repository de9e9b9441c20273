/* Writes texts into shared.dat, by memory alone: producer ROUNDS DELAY yes|no (size the file?) */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hello.h"

int main(int argc, char **argv)
{
    static const char *texts[] = {"Hello World", "Good Evening"};
    int rounds = argc > 1 ? atoi(argv[1]) : 2;
    double delay = argc > 2 ? atof(argv[2]) : 0.3;
    int sized = argc < 4 || strcmp(argv[3], "no") != 0;

    int fd = open("shared.dat", O_RDWR | O_CREAT, 0600);
    if (fd < 0) {
        perror("shared.dat");
        return 1;
    }
    if (sized)
        ftruncate(fd, sizeof(struct hello)); /* a new file has no bytes, and a mapping adds none */
    struct hello *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    close(fd); /* the mapping stays */
    printf("producer: mapped at %p\n", (void *)shared);
    fflush(stdout);
    for (int n = 0; n < rounds; n++) {
        const char *text = texts[n % 2];
        memcpy(shared->text, text, strlen(text)); /* one store ... */
        shared->length = (int)strlen(text);       /* ... and another: between them they don't fit */
        usleep((useconds_t)(delay * 1e6));
    }
    munmap(shared, sizeof *shared);
    return 0;
}
