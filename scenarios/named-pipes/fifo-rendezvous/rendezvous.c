/* usage: rendezvous wait|nonblock reader|writer
 * Two programs that know nothing of each other but a name meet at a FIFO. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const NAME = "meeting";

/* With O_NONBLOCK open never waits: without a reader it fails with ENXIO. */
static int open_to_write_at_once(void)
{
    int fd;
    while ((fd = open(NAME, O_WRONLY | O_NONBLOCK)) < 0 && errno == ENXIO) {
        printf("writer: %s: nobody reads yet\n", strerror(errno));
        usleep(200 * 1000); /* here it could do something else */
    }
    return fd;
}

int main(int argc, char **argv)
{
    int nonblock = argc > 1 && strcmp(argv[1], "nonblock") == 0;
    int reads = argc > 2 && strcmp(argv[2], "reader") == 0;
    char text[100];
    ssize_t count;

    setlinebuf(stdout);
    if (mkfifo(NAME, 0600) < 0 && errno != EEXIST) /* EEXIST: the other one came first */
        return 1;

    if (reads) {
        int fd = open(NAME, O_RDONLY); /* waits for a writer */
        printf("reader: open has returned\n");
        while ((count = read(fd, text, sizeof text)) > 0)
            printf("reader: %.*s\n", (int)count, text);
        printf("reader: end of file\n");
        unlink(NAME);
    } else {
        /* without O_NONBLOCK open waits for a reader */
        int fd = nonblock ? open_to_write_at_once() : open(NAME, O_WRONLY);
        printf("writer: open has returned\n");
        if (write(fd, "so we have met", 14) < 0)
            return 1;
    }
    return 0;
}
