/* Process a maps a file shared, process b maps it private. They take turns: each waits for the other. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK(text) access("/.ipcviz/step/" text, F_OK) /* says to ipcviz where we are */

static long page;
static int turn;

static void let_the_other_go(void)
{
    char baton = 0;
    write(turn, &baton, 1);
}

static void wait_for_turn(void)
{
    char baton;
    read(turn, &baton, 1);
}

static void show(const char *who, const char *map)
{
    printf("%s: '%.5s' in page 0, '%.5s' in page 1\n", who, map, map + page);
    fflush(stdout);
}

static void run_a(int fd)
{
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char bytes[6] = "";

    wait_for_turn();
    memcpy(map, "first", 5);
    MARK("a has stored");
    let_the_other_go();
    wait_for_turn();
    memcpy(map, "again", 5);
    memcpy(map + page, "again", 5);
    MARK("a has stored again");
    let_the_other_go();
    wait_for_turn();
    pread(fd, bytes, 5, 0); /* a shared store is in the file at once, for all who read it ... */
    printf("the file: '%s' in page 0\n", bytes);
    msync(map, 2 * page, MS_SYNC); /* ... and on the disk now, if it was not before */
    munmap(map, 2 * page);
}

static void run_b(int fd)
{
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    show("b before", map);
    MARK("b has read");
    let_the_other_go();
    wait_for_turn();
    show("b after a's store", map);
    MARK("b sees it");
    memcpy(map, "of b ", 5);
    MARK("b has stored");
    let_the_other_go();
    wait_for_turn();
    show("b after a's next", map);
    MARK("b sees its own");
    munmap(map, 2 * page); /* the copy goes with it: nobody writes it to the file */
    let_the_other_go();
}

int main(void)
{
    int ends[2];
    int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);

    page = sysconf(_SC_PAGESIZE);
    ftruncate(fd, 2 * page);
    pwrite(fd, "empty", 5, 0);
    pwrite(fd, "empty", 5, page);
    unlink("data"); /* the name goes at once, the file with the last who has it */
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    if (fork() == 0) {
        turn = ends[1];
        run_b(fd);
        return 0;
    }
    turn = ends[0];
    run_a(fd);
    wait(NULL);
    return 0;
}
