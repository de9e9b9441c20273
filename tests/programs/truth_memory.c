/* Shared memory of every kind: a file mapped shared and private, POSIX, System V (removed), memfd, anonymous. */
#include "common.h"
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#define PAGE 4096
static char *map(size_t length, int flags, int fd)
{
    char *at = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);
    CHECK(at != MAP_FAILED);
    return at;
}
int main(int argc, char **argv)
{
    CHECK(argc > 1);
    int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && ftruncate(file, 4 * PAGE) == 0);
    char *shared = map(4 * PAGE, MAP_SHARED, file), *private = map(4 * PAGE, MAP_PRIVATE, file);
    int posix = shm_open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(posix >= 0 && ftruncate(posix, 2 * PAGE) == 0);
    char *named = map(2 * PAGE, MAP_SHARED, posix);
    close(posix);
    shm_unlink(argv[1]);
    int sysv = shmget(IPC_PRIVATE, 3 * PAGE, 0600);
    char *segment = shmat(sysv, NULL, 0);
    CHECK(segment != (char *)-1 && shmctl(sysv, IPC_RMID, NULL) == 0);
    int memfd = memfd_create("a memfd", MFD_ALLOW_SEALING);
    CHECK(memfd >= 0 && ftruncate(memfd, PAGE) == 0);
    char *unnamed = map(PAGE, MAP_SHARED, memfd), *anonymous = map(8 * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
    strcpy(shared, "shared by both");
    strcpy(shared + 2 * PAGE, "third page");
    private[PAGE] = 'p';                            /* copied on write */
    private[PAGE + 1] = 'q';
    volatile char looked = private[3 * PAGE];       /* only read: stays the file's page */
    strcpy(named, "posix");
    strcpy(segment + PAGE, "system v");
    strcpy(unnamed, "memfd");
    anonymous[5 * PAGE] = 'a';
    pid_t child = fork();
    if (child == 0) {
        private[PAGE] = 'c';                        /* the child's own copy of the parent's copy */
        looked = shared[0];
        char *again = map(PAGE, MAP_SHARED, file);  /* the same bytes at another address */
        again[1] = 'H';
        char facts[300];
        snprintf(facts, sizeof facts, "pid %d\nagain %ld\n", getpid(), (long)again);
        barrier("child", facts);
        _exit(0);
    }
    char facts[600];
    snprintf(facts, sizeof facts,
             "pid %d\nshared %ld\nprivate %ld\nnamed %ld\nsegment %ld\nsysv %d\nunnamed %ld\nanonymous %ld\n", getpid(),
             (long)shared, (long)private, (long)named, (long)segment, sysv, (long)unnamed, (long)anonymous);
    barrier("mapped", facts);
    shared[20] = 'X', shared[21] = 'Y', shared[PAGE - 1] = 'Z';
    CHECK(mprotect(shared, PAGE, PROT_READ) == 0);
    CHECK(msync(shared, PAGE, MS_SYNC) == 0);
    CHECK(munmap(shared + 3 * PAGE, PAGE) == 0);
    CHECK(mremap(anonymous, 8 * PAGE, 4 * PAGE, 0) == anonymous);
    CHECK(mmap(anonymous + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == anonymous + PAGE);
    CHECK(mprotect(shared + PAGE, PAGE, PROT_READ) == 0 && mprotect(shared, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK(madvise(private, PAGE, MADV_DONTNEED) == 0 && madvise(named, PAGE, MADV_REMOVE) == 0);
    CHECK(fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL) == 0 && ftruncate(memfd, 2 * PAGE) == -1);
    CHECK(lseek(file, 100, SEEK_SET) == 100 && write(file, private + 2 * PAGE + 100, 10) == 10);
    CHECK(truncate("file", PAGE) == 0);
    CHECK(shmdt(segment) == 0);
    barrier("changed", "");
    CHECK(waitpid(child, NULL, 0) == child);
    return 0;
}
