/* A thread sleeps in a call that keeps a pipe locked meanwhile: nobody else can ask that pipe anything.
   spliced KIND [barrier NAME]: the kind is splice (from a pipe into a full socket), sendfile (nothing comes from the
   socket that goes into the pipe), or fault (the bytes of a write are in memory that another process has still to give). */
#include "common.h"

enum { MOVED = 1 << 20, PIECE = 1 << 14 };

static char block[PIECE];

static void give(int fd)
{
    for (long done = 0; done < MOVED; done += PIECE) {
        for (int i = 0; i < PIECE; i++)
            block[i] = (done + i) % 251;
        CHECK(write(fd, block, PIECE) == PIECE);
    }
    _exit(0);
}

/* Takes slowly, in pieces, each after a call that stops it where calls are traced. */
static void take(int fd)
{
    long total = 0, wrong = 0;
    ssize_t n;
    while ((n = read(fd, block, PIECE)) > 0) {
        for (int i = 0; i < n; i++)
            wrong += block[i] != (char)((total + i) % 251);
        total += n;
        usleep(10000);
    }
    printf("taken %ld, wrong %ld\n", total, wrong);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    int in[2], sockets[2], status;
    if (argc > 2)
        barrier(argv[2], "");
    CHECK(pipe(in) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    pid_t giver = fork();
    if (giver == 0) {
        close(in[0]);
        give(in[1]);
    }
    close(in[1]);
    pid_t taker = fork();
    if (taker == 0) {
        close(in[0]);
        close(sockets[0]);
        take(sockets[1]);
    }
    close(sockets[1]);
    long total = 0;
    ssize_t n;
    while ((n = splice(in[0], NULL, sockets[0], NULL, MOVED, 0)) > 0)
        total += n;
    printf("spliced %ld, %s\n", total, n ? strerror(errno) : "the end");
    fflush(stdout);
    close(sockets[0]);
    CHECK(waitpid(giver, &status, 0) == giver);
    say_status("giver", status);
    CHECK(waitpid(taker, &status, 0) == taker);
    say_status("taker", status);
    return 0;
}
