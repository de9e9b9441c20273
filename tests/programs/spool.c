/* A spooler hands files to another process by their names: temporary file, fsync, rename; what inotify saw of it all is printed. */
#include "common.h"
#include <dirent.h>
#include <sys/inotify.h>
static void next(int fd, char want)
{
    char c;
    CHECK(read(fd, &c, 1) == 1 && c == want);
}
static void serve(int from, int to)
{
    char text[4096], path[64];
    int watch = inotify_init1(IN_CLOEXEC);
    CHECK(inotify_add_watch(watch, "queue", IN_MOVED_TO) == 1 && write(to, "w", 1) == 1);
    CHECK(read(watch, text, sizeof text) > 0);
    DIR *folder = opendir("queue");
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] == 'j') {
            snprintf(path, sizeof path, "queue/%s", entry->d_name);
            int job = open(path, O_RDONLY);
            ssize_t n = read(job, text, sizeof text);
            CHECK(n > 0 && close(job) == 0 && unlink(path) == 0);
            printf("printed %.*s\n", (int)n, text);
        }
    closedir(folder);
    fflush(stdout);
    CHECK(write(to, "d", 1) == 1);
    next(from, 'e');
    _exit(0);
}
int main(void)
{
    int to[2], from[2];
    CHECK(mkdir("tmp", 0755) == 0 && mkdir("queue", 0755) == 0 && pipe(to) == 0 && pipe(from) == 0);
    int all = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(inotify_add_watch(all, "tmp", IN_ALL_EVENTS) == 1 && inotify_add_watch(all, "queue", IN_ALL_EVENTS) == 2);
    pid_t server = fork();
    if (server == 0) {
        close(all);
        serve(to[0], from[1]);
    }
    next(from[0], 'w');
    int job = open("tmp/j1", O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(job >= 0 && write(job, "hello", 5) == 5 && fsync(job) == 0 && close(job) == 0);
    CHECK(link("tmp/j1", "tmp/copy") == 0);
    CHECK(rename("tmp/j1", "queue/j1") == 0);
    next(from[0], 'd');
    int folder = open("queue", O_RDONLY | O_DIRECTORY);
    job = openat(folder, "lock", O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(job >= 0 && close(job) == 0);
    CHECK(syscall(SYS_renameat2, AT_FDCWD, "tmp/copy", folder, "lock", 1) < 0 && errno == EEXIST);
    CHECK(renameat(AT_FDCWD, "tmp/copy", folder, "lock") == 0);
    CHECK(fdatasync(folder) == 0 && unlinkat(folder, "lock", 0) == 0 && close(folder) == 0);
    CHECK(write(to[1], "e", 1) == 1);
    int status;
    CHECK(wait(&status) == server && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char events[16384];
    ssize_t n = read(all, events, sizeof events);
    for (char *at = events; at < events + n;) {
        struct inotify_event *e = (void *)at;
        printf("%d %x %s\n", e->wd, e->mask, e->len ? e->name : "");
        at += sizeof *e + e->len;
    }
    rmdir("tmp"), rmdir("queue");
    return 0;
}
