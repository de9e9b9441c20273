/* A shared memory object with a name: it outlives who made it, and its name can go before it does.
 * usage: segment NAME */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 4096

static const char *name = "/hello";

/* The object, mapped; NULL if there is none of this name. */
static char *open_segment(int flags)
{
    int fd = shm_open(name, flags, 0600);
    if (fd < 0) {
        perror(name);
        return NULL;
    }
    if (flags & O_CREAT)
        ftruncate(fd, SIZE); /* a new one has no bytes */
    char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return memory;
}

static void make(void)
{
    char *memory = open_segment(O_RDWR | O_CREAT | O_EXCL);
    strcpy(memory, "Hello World");
    printf("maker: wrote '%s', and ends\n", memory);
}

static void use(int turn)
{
    char *memory = open_segment(O_RDWR);
    char baton;

    printf("user: found '%s'\n", memory);
    write(turn, "", 1);
    read(turn, &baton, 1); /* the name goes meanwhile */
    strcpy(memory, "Good Evening");
    printf("user: goes on, and wrote '%s'\n", memory);
}

int main(int argc, char **argv)
{
    int ends[2];
    char baton;

    if (argc > 1)
        name = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (fork() == 0) {
        make();
        return 0;
    }
    wait(NULL); /* nobody has the object open or mapped now */
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    if (fork() == 0) {
        use(ends[1]);
        return 0;
    }
    read(ends[0], &baton, 1);
    shm_unlink(name); /* the name alone */
    open_segment(O_RDWR);
    write(ends[0], "", 1);
    wait(NULL); /* with the last mapping the memory goes */
    return 0;
}
