/* The same work in two ways: work pass|updates write|map KIB UPDATES
 * Prints seconds, calls of the write family, bytes that these copied, and page faults. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

static char buffer[PIECE];

static double read_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long count_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

/* What the kernel has counted for this process (proc_pid_io(5)). */
static void read_counts(long *bytes, long *calls)
{
    char text[512] = "";
    int fd = open("/proc/self/io", O_RDONLY);
    read(fd, text, sizeof text - 1);
    close(fd);
    sscanf(strstr(text, "wchar:"), "wchar: %ld", bytes);
    sscanf(strstr(text, "syscw:"), "syscw: %ld", calls);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    int pass = strcmp(argv[1], "pass") == 0, map = strcmp(argv[2], "map") == 0;
    size_t size = strtoul(argv[3], NULL, 10) << 10;
    long updates = atol(argv[4]), bytes = 0, calls = 0;
    int fd = open("work.dat", O_RDWR);
    memset(buffer, 'x', PIECE); /* so that the buffer's own faults are not counted */

    long faults = count_faults();
    double begin = read_clock();
    char *memory = map ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : NULL;
    if (pass) /* once through the file, piece by piece */
        for (size_t at = 0; at < size; at += PIECE)
            if (map)
                memcpy(memory + at, buffer, PIECE);
            else
                write(fd, buffer, PIECE);
    else /* eight bytes here and there, as a database does */
        for (long n = 0; n < updates; n++) {
            size_t at = (size_t)n * 7919 * 8 % size;
            if (map)
                memcpy(memory + at, &n, sizeof n);
            else
                pwrite(fd, &n, sizeof n, (off_t)at);
        }
    double seconds = read_clock() - begin;
    faults = count_faults() - faults;
    read_counts(&bytes, &calls);
    printf("%.9f %ld %ld %ld\n", seconds, calls, bytes, faults);
    return 0;
}
