/* The notes write munmap(map), without a length. A compiler that has seen <sys/mman.h> refuses that.
 * One that has not takes it, and the kernel gets as length what the register holds: unmap LEFTOVER */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARK(text) access("/.ipcviz/step/" text, F_OK) /* says to ipcviz where we are */

int main(int argc, char **argv)
{
    size_t leftover = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
    long page = sysconf(_SC_PAGESIZE);

    setvbuf(stdout, NULL, _IOLBF, 0);
    /* Two pages. Let the first be the notes' map, and the second be somebody else's. */
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    char *neighbour = map + page;
    map[0] = neighbour[0] = 'x';
    MARK("two pages");
    if (munmap(map, leftover) < 0) /* right: munmap(map, page) */
        perror("munmap");
    MARK("after munmap");
    printf("the neighbour has %c\n", neighbour[0]);
    return 0;
}
