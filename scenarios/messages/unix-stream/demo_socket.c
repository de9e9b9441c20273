/* usage: demo_socket fresh|stale|unlink [BYTES]
 * A server at a path in the file system, which forks a handler for each connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 4096

static struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "demo_socket"};

static int server_listen(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) { /* makes the name */
        perror("bind");
        unlink(address.sun_path); /* only so that this example leaves nothing behind */
        exit(1);
    }
    listen(fd, 5); /* so many may be connected and not yet accepted */
    return fd;
}

static void connection_handler(int fd, size_t size)
{
    char buffer[2 * MOST];
    ssize_t count = read(fd, buffer, 2 * size); /* what is there: no message, only bytes */
    printf("server: one read returned %zd bytes\n", count);
    fflush(stdout);
    if (write(fd, "hello from the server", 21) < 0)
        perror("write");
}

static void client_connect(size_t size)
{
    char text[MOST], answer[200];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        exit(1);
    }
    memset(text, 'x', size);
    if (write(fd, text, size) < 0 || write(fd, text, size) < 0) /* twice the same */
        perror("write");
    ssize_t count = read(fd, answer, sizeof answer);
    printf("client: %.*s\n", count > 0 ? (int)count : 0, answer);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "fresh";
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    if (size > MOST)
        return 2;
    if (strcmp(how, "fresh") != 0)
        close(server_listen()); /* an earlier server: its socket is gone, and its name is not */
    if (strcmp(how, "unlink") == 0)
        unlink(address.sun_path); /* mended */

    int fd = server_listen();
    for (int n = 0; n < 2; n++)
        if (fork() == 0) {
            close(fd);
            client_connect(size);
            return 0;
        }
    for (int n = 0; n < 2; n++) {
        int connection = accept(fd, NULL, NULL); /* a new socket for this client alone */
        if (fork() == 0) {
            close(fd);
            connection_handler(connection, size);
            return 0;
        }
        close(connection); /* the handler has it */
    }
    while (wait(NULL) > 0)
        ;
    unlink(address.sun_path);
    return 0;
}
