/* Two processes, and a file that is to let one of them in at a time.
 * usage: lock test|excl|flock|fcntl|notes SECONDS yes|no (is a killed inside?) */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK(text) access("/.ipcviz/step/" text, F_OK) /* says to ipcviz where we are */
#define IS(word) (strcmp(how, word) == 0)

enum { TRIES = 5 };

static const char *how = "test";
static useconds_t rest = 200000;

/* Comes back when the file lets us in: a descriptor; -1 if it never did. */
static int enter(void)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = -1, tries = 0;

    if (IS("test")) {
        while (access("lock", F_OK) == 0) /* is there no such file? ... */
            usleep(rest);
        MARK("no lock file");
        return open("lock", O_WRONLY | O_CREAT, 0600); /* ... then make it: too late, perhaps */
    }
    if (IS("excl")) { /* look and make in one call */
        while ((fd = open("lock", O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0 && ++tries < TRIES)
            usleep(rest);
        return fd;
    }
    if (IS("notes")) {
        if ((fd = open("lock", O_RDWR | O_CREAT, 0600) < 0)) /* < binds closer than =: fd is 0 */
            return -1;
        flock(fd, LOCK_EX); /* 0 is the terminal, which both have from their parent */
        return fd;
    }
    fd = open("lock", O_RDWR | O_CREAT, 0600); /* the file stays: what counts is the lock on it */
    if (IS("flock"))
        flock(fd, LOCK_EX);
    else
        fcntl(fd, F_SETLKW, &whole);
    return fd;
}

static void work(const char *who, int crash)
{
    int fd = enter();

    if (fd < 0) {
        printf("%s gives up: the lock file is there\n", who);
        return;
    }
    printf("%s is inside\n", who);
    MARK("inside");
    if (IS("fcntl")) { /* somebody in this program looks into the file, and closes it again */
        close(open("lock", O_RDONLY));
        MARK("has looked into the file");
    }
    usleep(rest);
    if (crash) {
        MARK("crashes");
        kill(getpid(), SIGKILL);
    }
    printf("%s leaves\n", who);
    MARK("leaves");
    if (IS("test") || IS("excl"))
        unlink("lock");
    close(fd);
}

int main(int argc, char **argv)
{
    int crash = argc > 3 && strcmp(argv[3], "yes") == 0;

    if (argc > 1)
        how = argv[1];
    if (argc > 2)
        rest = (useconds_t)(atof(argv[2]) * 1e6);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int n = 0; n < 2; n++)
        if (fork() == 0) {
            work(n == 0 ? "a" : "b", crash && n == 0);
            return 0;
        }
    while (wait(NULL) > 0)
        ;
    unlink("lock");
    return 0;
}
