/* Memory that another thread gives when it is touched (userfaultfd): who reads it from outside waits for that thread, too.
   It is written to a pipe, which is locked while the bytes come. Says "not allowed" where there is no userfaultfd. */
#include "common.h"
#include <linux/userfaultfd.h>

enum { PAGES = 16, PAGE = 4096 };

static int faults;

static void *give(void *unused)
{
    static char page[PAGE] __attribute__((aligned(PAGE)));
    struct uffd_msg message;
    for (int i = 0; i < PAGES; i++) {
        struct pollfd one = {faults, POLLIN};
        CHECK(poll(&one, 1, -1) == 1 && read(faults, &message, sizeof message) == sizeof message);
        usleep(10000);
        memset(page, 'a' + i, PAGE);
        struct uffdio_copy copy = {message.arg.pagefault.address & -PAGE, (uintptr_t)page, PAGE};
        CHECK(ioctl(faults, UFFDIO_COPY, &copy) == 0);
    }
    return NULL;
}

int main(void)
{
    int ends[2], status;
    pthread_t thread;
    struct uffdio_api api = {UFFD_API};
    faults = syscall(SYS_userfaultfd, O_CLOEXEC);
    if (faults < 0) {
        printf("not allowed\n");
        return 0;
    }
    char *late = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register range = {{(uintptr_t)late, PAGES * PAGE}, UFFDIO_REGISTER_MODE_MISSING};
    CHECK(ioctl(faults, UFFDIO_API, &api) == 0 && ioctl(faults, UFFDIO_REGISTER, &range) == 0);
    CHECK(pipe(ends) == 0);
    pid_t taker = fork();
    if (taker == 0) {
        char got[PAGE];
        long total = 0;
        ssize_t n;
        close(ends[1]);
        while ((n = read(ends[0], got, PAGE)) > 0) {
            total += n;
            usleep(1000);
        }
        _exit(total == PAGES * PAGE ? 0 : 1);
    }
    close(ends[0]);
    CHECK(pthread_create(&thread, NULL, give, NULL) == 0);
    for (int i = 0; i < PAGES; i++)
        CHECK(write(ends[1], late + i * PAGE, PAGE) == PAGE);
    close(ends[1]);
    CHECK(pthread_join(thread, NULL) == 0 && waitpid(taker, &status, 0) == taker);
    say_status("taker", status);
    return 0;
}
