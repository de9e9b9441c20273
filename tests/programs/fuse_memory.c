/* Memory mapped from a file that another process of ours serves (FUSE): who reads it before it is there waits for that process.
   It is written to a pipe, page by page. Says "not allowed" where nothing can be mounted. Mounts in a namespace of its own. */
#include "common.h"
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/uio.h>

enum { PAGES = 8, PAGE = 4096, ROOT = FUSE_ROOT_ID, FILE_NODE = 2 };

static int device;

static void answer(unsigned long unique, int error, const void *data, size_t size)
{
    struct fuse_out_header head = {sizeof head + size, error, unique};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)data, size}};
    /* Nobody waits for the answer to a release: the file system may have been unmounted meanwhile. */
    CHECK(writev(device, parts, 2) == (ssize_t)(sizeof head + size) || errno == ENOENT);
}

static struct fuse_attr attributes(unsigned long node)
{
    return (struct fuse_attr){.ino = node, .size = node == ROOT ? 0 : PAGES * PAGE, .nlink = 1, .blksize = PAGE,
                              .mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0644};
}

static void serve(void)
{
    static char request[1 << 17], page[1 << 17];
    ssize_t n;
    while ((n = read(device, request, sizeof request)) > 0) {
        struct fuse_in_header *head = (void *)request;
        if (head->opcode == FUSE_INIT) {
            struct fuse_init_in *in = (void *)(head + 1);
            struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = in->minor, .max_readahead = 0, .max_write = PAGE};
            answer(head->unique, 0, &out, sizeof out);
        } else if (head->opcode == FUSE_LOOKUP) {
            struct fuse_entry_out out = {.nodeid = FILE_NODE, .attr = attributes(FILE_NODE), .entry_valid = 60, .attr_valid = 60};
            answer(head->unique, 0, &out, sizeof out);
        } else if (head->opcode == FUSE_GETATTR) {
            struct fuse_attr_out out = {.attr = attributes(head->nodeid), .attr_valid = 60};
            answer(head->unique, 0, &out, sizeof out);
        } else if (head->opcode == FUSE_OPEN) {
            struct fuse_open_out out = {.fh = 1};
            answer(head->unique, 0, &out, sizeof out);
        } else if (head->opcode == FUSE_READ) {
            struct fuse_read_in *in = (void *)(head + 1);
            usleep(3000);
            for (unsigned i = 0; i < in->size; i++)
                page[i] = 'a' + (in->offset + i) / PAGE;
            answer(head->unique, 0, page, in->size);
        } else if (head->opcode == FUSE_DESTROY)
            break;
        else if (head->opcode != FUSE_FORGET && head->opcode != FUSE_BATCH_FORGET && head->opcode != FUSE_INTERRUPT)
            /* An interrupt is not answered, as in libfuse: what it is about may have been answered since. */
            answer(head->unique, head->opcode == FUSE_FLUSH || head->opcode == FUSE_RELEASE ? 0 : -ENOSYS, NULL, 0);
    }
}

int main(void)
{
    char folder[] = "/tmp/served.XXXXXX", options[80], path[80], got[PAGE];
    int ends[2], status, wrong = 0;
    CHECK(mkdtemp(folder) != NULL && pipe(ends) == 0);
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d", device, getuid(), getgid());
    if (device < 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
        || mount("served", folder, "fuse", 0, options) < 0) {
        rmdir(folder);
        printf("not allowed\n");
        return 0;
    }
    pid_t server = fork();
    if (server == 0) {
        serve();
        _exit(0);
    }
    close(device);
    snprintf(path, sizeof path, "%s/file", folder);
    int file = open(path, O_RDONLY);
    CHECK(file >= 0);
    char *late = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    CHECK(late != MAP_FAILED && madvise(late, PAGES * PAGE, MADV_RANDOM) == 0);
    for (int i = 0; i < PAGES; i++) {
        CHECK(write(ends[1], late + i * PAGE, PAGE) == PAGE && read(ends[0], got, PAGE) == PAGE);
        wrong += got[0] != 'a' + i || got[PAGE - 1] != 'a' + i;
    }
    munmap(late, PAGES * PAGE);
    close(file);
    CHECK(umount(folder) == 0 && rmdir(folder) == 0 && waitpid(server, &status, 0) == server);
    printf("%d wrong\n", wrong);
    say_status("server", status);
    return 0;
}
