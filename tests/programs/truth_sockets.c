/* Connections of every sort between a parent and its child, and a pipe's end that travels to it by SCM_RIGHTS. */
#include "common.h"
#include <netinet/in.h>
#include <sys/un.h>
static int tcp_listener(struct sockaddr_in *name)
{
    socklen_t length = sizeof *name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(name, 0, length);
    name->sin_family = AF_INET;
    name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (void *)name, length) == 0 && listen(fd, 3) == 0);
    CHECK(getsockname(fd, (void *)name, &length) == 0);
    return fd;
}
static void pass(int over, int fd)
{
    char room[CMSG_SPACE(sizeof fd)] = {0}, byte = 'x';
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    CHECK(sendmsg(over, &message, 0) == 1);
}
static int receive(int over)
{
    char room[CMSG_SPACE(sizeof(int))], byte;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    int fd;
    CHECK(recvmsg(over, &message, 0) == 1);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}
int main(void)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "meet"};
    struct sockaddr_in name;
    int pair[2], ends[2];
    int unix_listener = socket(AF_UNIX, SOCK_STREAM, 0), listener = tcp_listener(&name);
    CHECK(bind(unix_listener, (void *)&path, sizeof path) == 0 && listen(unix_listener, 3) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    pid_t child = fork();
    if (child == 0) {
        int one = socket(AF_UNIX, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0);
        close(pair[0]);
        CHECK(connect(one, (void *)&path, sizeof path) == 0 && connect(two, (void *)&name, sizeof name) == 0);
        CHECK(write(one, "hello", 5) == 5 && write(two, "abc", 3) == 3);
        int got = receive(pair[1]);
        CHECK(write(pair[1], &got, sizeof got) == sizeof got && write(pair[1], &one, sizeof one) == sizeof one &&
              write(pair[1], &two, sizeof two) == sizeof two);
        pause();
    }
    int one = accept(unix_listener, NULL, NULL), two = accept(listener, NULL, NULL), passed, theirs[2];
    CHECK(pipe(ends) == 0);
    pass(pair[0], ends[1]);
    CHECK(read(pair[0], &passed, sizeof passed) == sizeof passed);
    CHECK(read(pair[0], theirs, sizeof theirs[0]) && read(pair[0], theirs + 1, sizeof theirs[0]));
    char facts[512];
    snprintf(facts, sizeof facts,
             "parent %d\nchild %d\nunix %d\nunix_peer %d\ntcp %d\ntcp_peer %d\npair %d\npair_peer %d\nend %d\npassed %d\n",
             getpid(), child, one, theirs[0], two, theirs[1], pair[0], pair[1], ends[1], passed);
    barrier("connected", facts);
    kill(child, SIGKILL);
    wait(NULL);
    unlink("meet");
    return 0;
}
