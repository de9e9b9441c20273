/* Connections of every sort between a parent and its child, and a pipe's end that travels to it by SCM_RIGHTS; then
   what is less plain: two IP versions, datagrams, a full connection, a descriptor under way that nobody receives. */
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
static int datagrams(int family, void *name, socklen_t length, const char *to)
{
    struct sockaddr_un letters = {.sun_family = AF_UNIX};
    int fd = socket(family, SOCK_DGRAM, 0);
    strcpy(letters.sun_path, to ? to : "");
    if (family == AF_UNIX)
        CHECK(connect(fd, (void *)&letters, sizeof letters) == 0);
    else
        CHECK(connect(fd, name, length) == 0);
    return fd;
}
static void less_plain(int over, int tcp, pid_t child, const char *head)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, udp = four;
    struct sockaddr_un letters = {.sun_family = AF_UNIX, .sun_path = "letters"};
    socklen_t length = sizeof six;
    int off = 0, mapped = -1, mapped_peer = -1, both = socket(AF_INET6, SOCK_STREAM, 0), under_way[2];
    if (both >= 0 && setsockopt(both, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
        bind(both, (void *)&six, length) == 0 && listen(both, 1) == 0) {
        CHECK(getsockname(both, (void *)&six, &length) == 0);
        four.sin_port = six.sin6_port;
        mapped_peer = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect(mapped_peer, (void *)&four, sizeof four) == 0);
        mapped = accept(both, NULL, NULL);
    }
    int to_udp = socket(AF_INET, SOCK_DGRAM, 0), box = socket(AF_UNIX, SOCK_DGRAM, 0);
    length = sizeof udp;
    CHECK(bind(to_udp, (void *)&udp, length) == 0 && getsockname(to_udp, (void *)&udp, &length) == 0);
    CHECK(bind(box, (void *)&letters, sizeof letters) == 0);
    int from_udp = datagrams(AF_INET, &udp, sizeof udp, NULL);
    int first = datagrams(AF_UNIX, NULL, 0, "letters"), second = datagrams(AF_UNIX, NULL, 0, "letters");
    CHECK(write(first, "one", 3) == 3 && write(second, "second", 6) == 6);
    long written = 0;
    ssize_t n;
    static char much[1 << 16];
    while ((n = send(tcp, much, sizeof much, MSG_DONTWAIT)) > 0)
        written += n;
    CHECK(pipe(under_way) == 0);
    pass(over, under_way[1]);
    close(under_way[1]);
    char facts[1024];
    snprintf(facts, sizeof facts,
             "%smapped %d\nmapped_peer %d\nto_udp %d\nfrom_udp %d\nbox %d\nfirst %d\nsecond %d\nwritten %ld\n"
             "under_way %d\n",
             head, mapped, mapped_peer, to_udp, from_udp, box, first, second, written, under_way[0]);
    barrier("sent", facts);
    kill(child, SIGKILL);
    wait(NULL);
    barrier("gone", facts);
    unlink("letters");
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
    close(pair[1]);
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
    less_plain(pair[0], two, child, facts);
    unlink("meet");
    return 0;
}
