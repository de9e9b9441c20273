/* Maps a large file, touches a few of its pages, and counts the page faults: pages MEGABYTES */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MARK(text) access("/.ipcviz/step/" text, F_OK) /* says to ipcviz where we are */

static long count_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

/* Touches some pages, each by one store, and returns how many faults that took. */
static long touch(char *map, long page, const int *pages, int count)
{
    long before = count_faults();
    for (int n = 0; n < count; n++)
        map[pages[n] * page] = 'x'; /* nothing is there yet: the kernel brings the page now */
    return count_faults() - before;
}

/* The program and its libraries are mapped files, too: what they execute lies in r-xp mappings. */
static void show_programs(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, " r-xp ") && strchr(line, '/'))
            printf("mapped to be executed: %s", strrchr(line, '/') + 1);
    if (maps)
        fclose(maps);
}

int main(int argc, char **argv)
{
    static const int first[] = {0}, others[] = {2, 5};
    size_t length = (size_t)(argc > 1 ? atoi(argv[1]) : 100) << 20;
    long page = sysconf(_SC_PAGESIZE);

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("a page has %ld bytes\n", page);
    int fd = open("large.dat", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)length) < 0) {
        perror("large.dat");
        return 1;
    }
    char *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    unlink("large.dat"); /* the file stays until it is unmapped */
    if (map == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    MARK("mapped");
    printf("page 0: %ld fault\n", touch(map, page, first, 1));
    MARK("one page");
    printf("page 0 once more: %ld faults\n", touch(map, page, first, 1));
    printf("pages 2 and 5: %ld faults\n", touch(map, page, others, 2));
    MARK("three pages");
    msync(map, length, MS_SYNC); /* the changed pages go to the disk, and are clean afterwards */
    MARK("written back");
    munmap(map, length);
    show_programs();
    return 0;
}
