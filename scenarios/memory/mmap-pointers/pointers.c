/* A writer leaves a text in shared memory, and where it is: as a pointer and as an offset.
 * A reader has the same memory at another address: pointers offset|pointer|rubbish */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK(text) access("/.ipcviz/step/" text, F_OK) /* says to ipcviz where we are */

struct shared {
    char *pointer;    /* where the text is, in the address space of whoever wrote this */
    ptrdiff_t offset; /* where it is from the beginning of the memory: the same for all */
    char text[32];
};

static void *map(int fd, void *wish)
{
    return mmap(wish, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void write_it(int fd)
{
    struct shared *shared = map(fd, NULL);

    strcpy(shared->text, "Hello World");
    shared->pointer = shared->text;
    shared->offset = shared->text - (char *)shared;
    MARK("written");
    printf("writer: mapped at %p, pointer %p, offset %td\n", (void *)shared,
           (void *)shared->pointer, shared->offset);
}

static void read_it(int fd, const char *how)
{
    if (strcmp(how, "rubbish") == 0) { /* the reader has memory of its own where the writer had it */
        struct shared *own = mmap(NULL, sizeof *own, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        strcpy(own->text, "something else");
    }
    struct shared *shared = map(fd, (void *)0x10000000000); /* a wish: far away from the writer's */

    printf("reader: mapped at %p\n", (void *)shared);
    printf("reader: by the offset:  %s\n", (char *)shared + shared->offset);
    if (strcmp(how, "offset") != 0) {
        MARK("follows the pointer");
        printf("reader: by the pointer: %s\n", shared->pointer);
    }
}

int main(int argc, char **argv)
{
    int fd = open("shared.dat", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    ftruncate(fd, sizeof(struct shared));
    unlink("shared.dat"); /* both have it open, and need no name */
    if (fork() == 0) {
        write_it(fd);
        return 0;
    }
    wait(NULL);
    if (fork() == 0) {
        read_it(fd, argc > 1 ? argv[1] : "pointer");
        return 0;
    }
    wait(&status);
    if (WIFSIGNALED(status))
        printf("the reader was ended by signal %d\n", WTERMSIG(status));
    return 0;
}
