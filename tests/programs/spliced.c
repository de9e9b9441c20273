/* A call sleeps with a pipe locked, so that nobody can ask that pipe anything: a splice from it into a full socket, and a
   splice into it from an empty one. Who could end that sleep comes slowly. With barrier NAME it waits there first. */
#include "common.h"

enum { MOVED = 1 << 17, PIECE = 1 << 14, SLOW = 10000 };

static char block[PIECE];

static void give(int fd, int pause)
{
    for (long done = 0; done < MOVED; done += PIECE) {
        usleep(pause);
        for (int i = 0; i < PIECE; i++)
            block[i] = (done + i) % 251;
        CHECK(write(fd, block, PIECE) == PIECE);
    }
    _exit(0);
}

static void take(int fd, int pause)
{
    long total = 0, wrong = 0;
    ssize_t n;
    while ((n = read(fd, block, PIECE)) > 0) {
        for (int i = 0; i < n; i++)
            wrong += block[i] != (char)((total + i) % 251);
        total += n;
        usleep(pause);
    }
    _exit(total != MOVED ? 1 : wrong ? 2 : 0);
}

/* From one to the other, by splice; who gives and who takes are two children. */
static void move(const char *what, int from[2], int to[2], int giving_pause, int taking_pause)
{
    int status;
    long total = 0;
    ssize_t n;
    pid_t giver = fork();
    if (giver == 0) {
        close(from[0]);
        close(to[0]);
        close(to[1]);
        give(from[1], giving_pause);
    }
    close(from[1]);
    pid_t taker = fork();
    if (taker == 0) {
        close(from[0]);
        close(to[1]);
        take(to[0], taking_pause);
    }
    close(to[0]);
    while ((n = splice(from[0], NULL, to[1], NULL, MOVED, 0)) > 0)
        total += n;
    printf("%s: %ld, %s\n", what, total, n ? strerror(errno) : "the end");
    close(from[0]);
    close(to[1]);
    CHECK(waitpid(giver, &status, 0) == giver);
    say_status("giver", status);
    CHECK(waitpid(taker, &status, 0) == taker);
    say_status("taker", status);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int pipes[2], sockets[2], small = 1;
    if (argc > 2)
        barrier(argv[2], "");
    CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    CHECK(setsockopt(sockets[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    move("into a full socket", pipes, sockets, 0, SLOW);
    CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    move("from an empty socket", sockets, pipes, SLOW, 0);
    return 0;
}
