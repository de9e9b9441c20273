/* A pipe's write end travels through a UNIX socket to the child, which writes and closes: EOF must come. */
#include "common.h"
int main(void)
{
    int pair[2], ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int))]; } control = {0};
    char byte = 'x', text[64];
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        CHECK(recvmsg(pair[1], &message, 0) == 1);
        int fd;
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
        CHECK(write(fd, "by rights", 9) == 9);
        _exit(0);
    }
    close(pair[1]);
    CHECK(pipe(ends) == 0);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
    CHECK(sendmsg(pair[0], &message, 0) == 1);
    close(ends[1]);
    ssize_t n, total = 0;
    while ((n = read(ends[0], text + total, sizeof text - total)) > 0)
        total += n;
    printf("%.*s, then end of file\n", (int)total, text);
    wait(NULL);
    return 0;
}
