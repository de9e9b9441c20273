/* Locks of all sorts, held and waited for, as F_GETLK says; then one is lost by a close, and one is kept by an heir. */
#include "common.h"
#include <sys/file.h>
static int whose(int fd, int command)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(fd, command, &lock) == 0);
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}
static pid_t waiter(int which, const int *mine)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid)
        return pid;
    for (int i = 0; i < 3; i++)
        close(mine[i]);
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1}, whole = {.l_type = F_RDLCK};
    if (which == 0)
        CHECK(flock(open("f", O_RDWR), LOCK_EX) == 0);
    else if (which == 1)
        CHECK(fcntl(open("g", O_RDWR), F_SETLKW, &range) == 0);
    else
        CHECK(fcntl(open("h", O_RDWR), F_OFD_SETLKW, &whole) == 0);
    _exit(0);
}
int main(void)
{
    int f = open("f", O_RDWR | O_CREAT | O_EXCL, 0600), g = open("g", O_RDWR | O_CREAT, 0600), h = open("h", O_RDWR | O_CREAT, 0600);
    CHECK(f >= 0 && g >= 0 && h >= 0);
    CHECK(open("f", O_RDWR | O_CREAT | O_EXCL, 0600) < 0 && errno == EEXIST);
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10}, whole = {.l_type = F_WRLCK};
    CHECK(flock(f, LOCK_EX) == 0 && fcntl(g, F_SETLK, &range) == 0 && fcntl(h, F_OFD_SETLK, &whole) == 0);
    int mine[] = {f, g, h};
    pid_t a = waiter(0, mine), b = waiter(1, mine), c = waiter(2, mine);
    until_asleep(a), until_asleep(b), until_asleep(c);
    int probe = open("f", O_RDWR);
    CHECK(flock(probe, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
    /* Asked by another process: none is told of its own locks. */
    int ends[2], told[2];
    CHECK(pipe(ends) == 0);
    pid_t asker = fork();
    if (asker == 0) {
        int answer[2] = {whose(g, F_GETLK), whose(open("h", O_RDWR), F_OFD_GETLK)};
        CHECK(write(ends[1], answer, sizeof answer) == sizeof answer);
        _exit(0);
    }
    CHECK(read(ends[0], told, sizeof told) == sizeof told && waitpid(asker, NULL, 0) == asker);
    char facts[300];
    snprintf(facts, sizeof facts, "pid %d\na %d\nb %d\nc %d\nf %d\nprobe %d\ng %d\nh %d\nposix %d\nofd %d\n", getpid(), a, b, c, f, probe, g, h,
             told[0], told[1]);
    barrier("held", facts);
    CHECK(close(open("g", O_RDONLY)) == 0);
    CHECK(waitpid(b, NULL, 0) == b);
    pid_t heir = fork();
    if (heir == 0) {
        int other = open("heir.go", O_RDONLY);
        _exit(other < 0);
    }
    close(f);
    snprintf(facts, sizeof facts, "heir %d\nasleep %d\n", heir, state_of(a) == 'S');
    barrier("kept", facts);
    close(h);
    int status;
    while (wait(&status) > 0)
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unlink("f"), unlink("g"), unlink("h");
    return 0;
}
