/* Writes N bytes into a pipe, waits, reads K of them, waits, reads the rest; says what FIONREAD says. */
#include "common.h"
static int ends[2];
static void tell(const char *name)
{
    char facts[200];
    int queued;
    CHECK(ioctl(ends[0], FIONREAD, &queued) == 0);
    snprintf(facts, sizeof facts, "pid %d\nread %d\nwrite %d\nqueued %d\ncapacity %d\n", getpid(), ends[0], ends[1], queued,
             fcntl(ends[0], F_GETPIPE_SZ));
    barrier(name, facts);
}
int main(int argc, char **argv)
{
    CHECK(argc > 3 && pipe(ends) == 0);
    int n = atoi(argv[1]), k = atoi(argv[2]), size = atoi(argv[3]);
    char *data = malloc(n + 1), *back = malloc(n + 1);
    for (int i = 0; i < n; i++)
        data[i] = (char)(i * 31 + i / 251);
    CHECK(size == 0 || fcntl(ends[0], F_SETPIPE_SZ, size) > 0);
    for (int done = 0; done < n;)
        done += write(ends[1], data + done, n - done);
    tell("full");
    FILE *file = fopen("taken", "w");
    CHECK(file && (k == 0 || read(ends[0], back, k) == k));
    fwrite(back, 1, k, file);
    tell("part");
    for (ssize_t left = n - k, got; left > 0; left -= got) {
        CHECK((got = read(ends[0], back, left)) > 0);
        fwrite(back, 1, got, file);
    }
    fclose(file);
    tell("empty");
    return 0;
}
