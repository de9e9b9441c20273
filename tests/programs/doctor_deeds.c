/* Programs that do one thing wrong each: `doctor_deeds WAY [NAME]`. They end by themselves. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_signal(int signo) { (void)signo; }

static void catch_signal(int signo, int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    sigaction(signo, &action, NULL);
}

static int read_interrupted(int flags, int tries)
{
    int ends[2];
    char byte;
    if (pipe(ends))
        return 1;
    catch_signal(SIGALRM, flags);
    if (fork() == 0) {
        kill(getppid(), SIGALRM);
        usleep(300000);
        kill(getppid(), SIGALRM);
        usleep(200000);
        _exit(write(ends[1], "x", 1) != 1);
    }
    while (read(ends[0], &byte, 1) < 0)
        if (errno != EINTR || --tries <= 0) {
            perror("read");
            return 1;
        }
    return wait(NULL) < 0;
}

/* Another call than read that a handler cuts short: flock of a file that a child has locked. */
static int lock_interrupted(void)
{
    int ends[2], fd = open("lock", O_RDWR | O_CREAT, 0600);
    char byte;
    catch_signal(SIGALRM, 0);
    if (pipe(ends))
        return 1;
    if (fork() == 0) {
        if (flock(open("lock", O_RDWR), LOCK_EX) || write(ends[1], "x", 1) != 1)
            _exit(1);
        usleep(400000);
        kill(getppid(), SIGALRM);
        usleep(200000);
        _exit(0);
    }
    if (read(ends[0], &byte, 1) == 1 && flock(fd, LOCK_EX)) {
        perror("flock");
        return 1;
    }
    return 0;
}

static int wait_interrupted(void)
{
    catch_signal(SIGUSR1, 0);
    if (fork() == 0) {
        usleep(400000);
        kill(getppid(), SIGUSR1);
        usleep(200000);
        _exit(0);
    }
    if (wait(NULL) < 0) {
        perror("wait");
        return 1;
    }
    return 0;
}

static int print_and_fork(int flush)
{
    FILE *out = fopen("out", "w");
    fprintf(out, "a line that lies in the buffer\n");
    if (flush)
        fflush(out);
    if (fork())
        wait(NULL);
    return 0;
}

static int map_beyond(size_t used)
{
    int fd = open("data", O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 100))
        return 1;
    char *map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map[used] = 'x';
    return 0;
}

static int map_while_empty(int early)
{
    int fd = open("data", O_RDWR | O_CREAT, 0600), ends[2];
    char byte;
    if (pipe(ends))
        return 1;
    pid_t other = fork();
    if (other == 0) {
        if (!early && read(ends[0], &byte, 1) != 1)
            _exit(1);
        int mine = open("data", O_RDWR);
        _exit(mmap(NULL, 4096, PROT_READ, MAP_SHARED, mine, 0) == MAP_FAILED);
    }
    if (early)
        waitpid(other, NULL, 0);
    if (ftruncate(fd, 4096) || write(ends[1], "x", 1) != 1)
        return 1;
    if (!early)
        waitpid(other, NULL, 0);
    return 0;
}

/* The same with shared memory that has a name. */
static int map_segment_while_empty(const char *name)
{
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600), status;
    if (fork() == 0) {
        int mine = shm_open(name, O_RDWR, 0);
        _exit(mmap(NULL, 4096, PROT_READ, MAP_SHARED, mine, 0) == MAP_FAILED);
    }
    wait(&status);
    return ftruncate(fd, 4096) || shm_unlink(name) || status;
}

static int leave_semaphore(const char *name, int keep)
{
    sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    if (semaphore == SEM_FAILED)
        return 1;
    return keep ? 0 : sem_unlink(name);
}

static int leave_segment(int keep)
{
    close(open("key", O_RDWR | O_CREAT, 0600));
    int id = shmget(ftok("key", 'k'), 4096, IPC_CREAT | IPC_EXCL | 0600);
    return keep ? 0 : shmctl(id, IPC_RMID, NULL);
}

static int leave_zombies(int handle)
{
    if (handle)
        catch_signal(SIGCHLD, SA_RESTART);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            _exit(0);
    usleep(500000);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    for (unsigned left = 7; (left = sleep(left));)
        ;
    return 0;
}

static int lock_twice(int again)
{
    struct flock lock = {.l_type = F_WRLCK};
    int fd = open("data", O_RDWR | O_CREAT, 0600), other = open("data", O_RDWR);
    if (fcntl(fd, F_SETLK, &lock))
        return 1;
    if (again)
        close(other);
    lock.l_type = F_UNLCK;
    return fcntl(fd, F_SETLK, &lock);
}

static int send_short(int rest)
{
    int ends[2];
    static char data[1000000], sink[1000000];
    if (pipe2(ends, O_NONBLOCK))
        return 1;
    ssize_t done = write(ends[1], data, sizeof data);
    while (rest && done < (ssize_t)sizeof data) {
        if (read(ends[0], sink, sizeof sink) < 0)
            return 1;
        done += write(ends[1], data + done, sizeof data - done);
    }
    return 0;
}

static int write_broken(int ignore)
{
    int ends[2];
    if (pipe(ends))
        return 1;
    close(ends[0]);
    if (ignore)
        signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 30; i++)
        if (write(ends[1], "x", 1) < 0 && ignore == 2)
            return 0;
    return 0;
}

static int private_map(int flags)
{
    int fd = open("data", O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 4096))
        return 1;
    if (fork() == 0) {
        int *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);
        *mine = 7;
        _exit(0);
    }
    int *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return wait(NULL) < 0 || *map != (flags == MAP_SHARED ? 7 : 0);
}

/* A write of more than PIPE_BUF sleeps with a part written; a short one comes in between. */
static int mix_writes(size_t size)
{
    static char data[100000], page[4096];
    int ends[2];
    memset(data, 'a', sizeof data);
    if (pipe(ends))
        return 1;
    if (fork() == 0)
        _exit(write(ends[1], data, size) < 0);
    usleep(200000);
    if (read(ends[0], page, sizeof page) < 0)
        return 1;
    if (fork() == 0)
        _exit(write(ends[1], "b", 1) < 0);
    close(ends[1]);
    do
        usleep(20000);
    while (read(ends[0], page, sizeof page) > 0);
    return wait(NULL) < 0 || wait(NULL) < 0;
}

/* Two writes of more than the pipe has room for sleep in it at the same time, and are let in by
   turns, a page each. */
static int take_turns(void)
{
    static char data[100000], page[4096];
    int ends[2];
    if (pipe(ends))
        return 1;
    for (int i = 0; i < 2; i++)
        if (fork() == 0)
            _exit(write(ends[1], data, sizeof data) < 0);
    close(ends[1]);
    do
        usleep(20000);
    while (read(ends[0], page, sizeof page) > 0);
    return wait(NULL) < 0 || wait(NULL) < 0;
}

/* A record that is written in two parts is read by one call. */
static int read_short(void)
{
    struct record { int kind, size; char text[20]; } record;
    int ends[2], kinds = 0;
    if (pipe(ends))
        return 1;
    if (fork() == 0) {
        for (int i = 0; i < 4; i++) {
            struct record sent = {i, 20, "text"};
            int failed = write(ends[1], &sent, 8) != 8;
            usleep(50000);
            if (failed || write(ends[1], sent.text, 20) != 20)
                _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    while (read(ends[0], &record, sizeof record) > 0) {
        kinds += record.kind;
        usleep(70000);
    }
    return wait(NULL) < 0;
}

static int wait_at_the_end(void)
{
    int ends[2], set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event))
        return 1;
    close(ends[1]);
    for (int i = 0; i < 100; i++)
        if (epoll_wait(set, &event, 1, -1) != 1)
            return 1;
    return 0;
}

/* A list in shared memory whose second mapping lies elsewhere, in another program. */
static int link_by_address(const char *self, const char *fate)
{
    int fd = open("list", O_RDWR | O_CREAT, 0600);
    if (!strcmp(fate, "reads")) {
        void *elsewhere = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char **list = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fd, 0);
        usleep(200000);
        return !elsewhere || (*list - (char *)list == 4096);
    }
    if (ftruncate(fd, 1 << 20))
        return 1;
    char **list = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *list = (char *)list + 4096;
    if (fork() == 0)
        execl(self, self, "linked", "reads", (char *)NULL);
    return wait(NULL) < 0;
}

static int merge_signals(void)
{
    sigset_t mask;
    catch_signal(SIGUSR2, 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    union sigval value = {.sival_int = 7};
    for (int i = 0; i < 3; i++)
        sigqueue(getpid(), SIGUSR2, value);
    return sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

/* A child switches its parent's input to O_NONBLOCK. */
static int switch_input(void)
{
    int ends[2];
    char byte;
    if (pipe(ends))
        return 1;
    if (fork() == 0)
        _exit(fcntl(ends[0], F_SETFL, O_NONBLOCK));
    wait(NULL);
    if (read(ends[0], &byte, 1) < 0) {
        perror("read");
        return 1;
    }
    return 0;
}

static int cut_by_child(void)
{
    int fd = open("data", O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 8192))
        return 1;
    char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    if (fork() == 0)
        _exit(truncate("data", 10));
    wait(NULL);
    return map[5000];
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";
    const char *name = argc > 2 ? argv[2] : "/none";
    if (!strcmp(way, "short_read"))
        return read_short();
    if (!strcmp(way, "epoll_end"))
        return wait_at_the_end();
    if (!strcmp(way, "linked"))
        return link_by_address(argv[0], name);
    if (!strcmp(way, "merged"))
        return merge_signals();
    if (!strcmp(way, "input_switched"))
        return switch_input();
    if (!strcmp(way, "cut_by_child"))
        return cut_by_child();
    if (!strcmp(way, "interrupted"))
        return read_interrupted(0, 1);
    if (!strcmp(way, "retried"))
        return read_interrupted(0, 9);
    if (!strcmp(way, "restarted"))
        return read_interrupted(SA_RESTART, 1);
    if (!strcmp(way, "lock_interrupted"))
        return lock_interrupted();
    if (!strcmp(way, "wait_interrupted"))
        return wait_interrupted();
    if (!strcmp(way, "printed_twice"))
        return print_and_fork(0);
    if (!strcmp(way, "flushed"))
        return print_and_fork(1);
    if (!strcmp(way, "beyond"))
        return map_beyond(4096);
    if (!strcmp(way, "within"))
        return map_beyond(4095);
    if (!strcmp(way, "mapped_early"))
        return map_while_empty(1);
    if (!strcmp(way, "segment_early"))
        return map_segment_while_empty(name);
    if (!strcmp(way, "mapped_late"))
        return map_while_empty(0);
    if (!strcmp(way, "semaphore_left"))
        return leave_semaphore(name, 1);
    if (!strcmp(way, "semaphore_removed"))
        return leave_semaphore(name, 0);
    if (!strcmp(way, "segment_left"))
        return leave_segment(1);
    if (!strcmp(way, "segment_removed"))
        return leave_segment(0);
    if (!strcmp(way, "zombies"))
        return leave_zombies(0);
    if (!strcmp(way, "zombies_coalesced"))
        return leave_zombies(1);
    if (!strcmp(way, "lock_dropped"))
        return lock_twice(1);
    if (!strcmp(way, "lock_kept"))
        return lock_twice(0);
    if (!strcmp(way, "short"))
        return send_short(0);
    if (!strcmp(way, "short_continued"))
        return send_short(1);
    if (!strcmp(way, "sigpipe"))
        return write_broken(0);
    if (!strcmp(way, "broken"))
        return write_broken(1);
    if (!strcmp(way, "broken_once"))
        return write_broken(2);
    if (!strcmp(way, "private"))
        return private_map(MAP_PRIVATE);
    if (!strcmp(way, "shared"))
        return private_map(MAP_SHARED);
    if (!strcmp(way, "mixed"))
        return mix_writes(100000);
    if (!strcmp(way, "whole"))
        return mix_writes(3000);
    if (!strcmp(way, "turns"))
        return take_turns();
    return 2;
}
