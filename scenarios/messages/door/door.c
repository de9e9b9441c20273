/* usage: door pass|number
 * A call through a path in the file system: the server opens a file for the one who calls, and
 * gives it away. A descriptor can be passed; its number alone is of no use. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct sockaddr_un door = {.sun_family = AF_UNIX, .sun_path = "door"};
static int pass = 1;

/* Room for what travels beside the bytes of a message: who sent it, or one descriptor. */
union extra {
    char room[CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr head;
};

static void send_descriptor(int to, int fd, char *text)
{
    union extra extra = {.head = {.cmsg_len = CMSG_LEN(sizeof fd),
                                  .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec bytes = {text, strlen(text)};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1,
                             .msg_control = &extra, .msg_controllen = CMSG_SPACE(sizeof fd)};
    memcpy(CMSG_DATA(&extra.head), &fd, sizeof fd);
    if (sendmsg(to, &message, 0) < 0)
        perror("sendmsg");
}

/* Receives a text, and what came beside it: `size` bytes. */
static void receive_message(int from, char *text, size_t room, void *beside, size_t size)
{
    union extra extra = {0};
    struct iovec bytes = {text, room - 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1,
                             .msg_control = &extra, .msg_controllen = sizeof extra};
    ssize_t count = recvmsg(from, &message, 0);
    text[count > 0 ? count : 0] = '\0';
    memcpy(beside, CMSG_DATA(&extra.head), size);
}

static void server_answer(int listener)
{
    char text[100];
    struct ucred caller;
    int connection = accept(listener, NULL, NULL);

    receive_message(connection, text, sizeof text, &caller, sizeof caller); /* SCM_CREDENTIALS */
    printf("server: process %d of user %u wants %s\n", (int)caller.pid, caller.uid, text);
    int fd = open("note", O_RDONLY);
    unlink("note"); /* from now on nobody can open it by its name */
    if (read(fd, text, strlen("first line\n")) < 0)
        perror("read");
    snprintf(text, sizeof text, "%d", fd);
    if (pass)
        send_descriptor(connection, fd, text);
    else if (write(connection, text, strlen(text)) < 0)
        perror("write");
    close(fd);
}

static void client_call(void)
{
    char text[100] = "", line[100];
    int fd = -1, server = socket(AF_UNIX, SOCK_STREAM, 0);

    if (connect(server, (const struct sockaddr *)&door, sizeof door) < 0 ||
        write(server, "the note", 8) < 0)
        perror("door");
    if (pass) /* a new descriptor, which the kernel made in our table */
        receive_message(server, text, sizeof text, &fd, sizeof fd);
    else if (read(server, text, sizeof text - 1) > 0)
        fd = atoi(text);
    printf("client: the server says %s, I have %d\n", text, fd);
    if (!pass)
        access("/.ipcviz/step/uses the number", F_OK); /* says to ipcviz where we are */
    ssize_t count = read(fd, line, sizeof line);
    if (count < 0)
        perror("client");
    else
        printf("client: %.*s", (int)count, line);
}

int main(int argc, char **argv)
{
    int on = 1, note = open("note", O_WRONLY | O_CREAT, 0600);

    pass = argc < 2 || strcmp(argv[1], "pass") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (write(note, "first line\nsecond line\n", 23) < 0)
        perror("note");
    close(note);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_PASSCRED, &on, sizeof on); /* who calls comes along */
    if (bind(listener, (const struct sockaddr *)&door, sizeof door) < 0) {
        perror("bind");
        return 1;
    }
    listen(listener, 5);
    if (fork() == 0) {
        close(listener);
        client_call();
        return 0;
    }
    server_answer(listener);
    wait(NULL);
    unlink(door.sun_path);
    return 0;
}
