/* Programs that nearly do what doctor_hangs and doctor_deeds do wrong, and are right: `doctor_right
   WAY [NAME]`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char big[200000];
static int p[2], q[2];
static const char *self, *name;
static const int HALF = 500000;

struct shared { pthread_mutex_t one, two; sem_t sem; };

static struct shared *map_shared(int pshared, int robust)
{
    struct shared *s =
        mmap(0, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    if (robust)
        pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&s->one, &a);
    pthread_mutex_init(&s->two, &a);
    sem_init(&s->sem, pshared, 0);
    return s;
}

/* A child whose output has room in the pipe. */
static int wait_for_little(void)
{
    pipe(p);
    pid_t pid = fork();
    if (!pid)
        _exit(write(p[1], big, 60000) < 0);
    close(p[1]);
    waitpid(pid, 0, 0);
    return read(p[0], big, sizeof big) < 0;
}

static int close_and_read(void)
{
    pipe2(p, O_CLOEXEC);
    if (!fork()) {
        execlp("sleep", "sleep", "3", (char *)0);
    }
    if (!fork())
        _exit(write(p[1], "x", 1) < 0);
    close(p[1]);
    while (read(p[0], big, sizeof big) > 0)
        ;
    return wait(0) < 0;
}

static int own_both_ends(void)
{
    pipe(p);
    if (!fork()) {
        usleep(HALF);
        _exit(write(p[1], "x", 1) < 0);
    }
    return read(p[0], big, 1) != 1;
}

static int fill_and_empty(void)
{
    pipe2(p, O_NONBLOCK);
    while (write(p[1], big, 4096) > 0)
        ;
    return read(p[0], big, sizeof big) < 0;
}

static int take_turns(void)
{
    pipe(p);
    pipe(q);
    if (!fork()) {
        for (int i = 0; i < 50; i++)
            if (read(p[0], big, 10) < 0 || write(q[1], big, 10) < 0)
                _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 50; i++)
        if (write(p[1], big, 10) < 0 || read(q[0], big, 10) < 0)
            return 1;
    return wait(0) < 0;
}

static int packets_end(int last)
{
    socketpair(AF_UNIX, last ? SOCK_DGRAM : SOCK_SEQPACKET, 0, p);
    if (!fork()) {
        close(p[0]);
        send(p[1], "x", 1, 0);
        usleep(HALF);
        if (last)
            send(p[1], "", 0, 0);
        _exit(0);
    }
    close(p[1]);
    while (recv(p[0], big, sizeof big, 0) > 0)
        ;
    return wait(0) < 0;
}

/* Locks that are let go, or that somebody has on purpose. */
static int unlock_and_close(void)
{
    int fd = open("lock", O_RDWR | O_CREAT, 0600);
    flock(fd, LOCK_EX);
    if (!fork()) {
        usleep(3 * HALF);
        _exit(0);
    }
    flock(fd, LOCK_UN);
    close(fd);
    return flock(open("lock", O_RDWR), LOCK_EX) || wait(0) < 0;
}

static int let_go_and_wait(void)
{
    int fd = open("lock", O_RDWR | O_CREAT, 0600);
    flock(fd, LOCK_EX);
    if (!fork())
        _exit(flock(open("lock", O_RDWR), LOCK_EX));
    usleep(HALF);
    flock(fd, LOCK_UN);
    return wait(0) < 0;
}

static int same_order(void)
{
    struct shared *s = map_shared(1, 0);
    for (int i = 0; i < 2; i++)
        if (!fork()) {
            pthread_mutex_lock(&s->one);
            usleep(HALF);
            pthread_mutex_lock(&s->two);
            pthread_mutex_unlock(&s->two);
            pthread_mutex_unlock(&s->one);
            _exit(0);
        }
    return wait(0) < 0 || wait(0) < 0;
}

static int try_the_second(void)
{
    struct shared *s = map_shared(1, 0);
    pthread_mutex_lock(&s->one);
    if (!fork()) {
        pthread_mutex_lock(&s->two);
        if (pthread_mutex_trylock(&s->one))
            pthread_mutex_unlock(&s->two);
        _exit(0);
    }
    usleep(HALF);
    pthread_mutex_lock(&s->two);
    return wait(0) < 0;
}

static int recursive(void)
{
    pthread_mutex_t m = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    return pthread_mutex_lock(&m) || pthread_mutex_lock(&m);
}

/* Owners that end, and give back what they had. */
static int robust_owner(void)
{
    struct shared *s = map_shared(1, 1);
    if (!fork()) {
        pthread_mutex_lock(&s->one);
        _exit(0);
    }
    wait(0);
    return pthread_mutex_lock(&s->one) != EOWNERDEAD;
}

static int undone(void)
{
    int id = semget(IPC_PRIVATE, 1, 0600);
    struct sembuf up = {0, 1, 0}, down = {0, -1, SEM_UNDO};
    semop(id, &up, 1);
    if (!fork()) {
        semop(id, &down, 1);
        usleep(HALF);
        _exit(0);
    }
    usleep(HALF / 2);
    semop(id, &down, 1);
    return semctl(id, 0, IPC_RMID) || wait(0) < 0;
}

static int given_back(void)
{
    struct shared *s = map_shared(1, 0);
    sem_post(&s->sem);
    if (!fork()) {
        sem_wait(&s->sem);
        usleep(HALF);
        sem_post(&s->sem);
        _exit(0);
    }
    usleep(HALF / 2);
    return sem_wait(&s->sem) || wait(0) < 0;
}

/* Semaphores that reach whom they are to reach. */
static int shared_semaphore(void)
{
    struct shared *s = map_shared(1, 0);
    if (!fork())
        _exit(sem_wait(&s->sem));
    usleep(HALF);
    sem_post(&s->sem);
    return wait(0) < 0;
}

static sem_t global;
static void *waits(void *x)
{
    sem_wait(&global);
    return x;
}
static int semaphore_of_threads(void)
{
    pthread_t t;
    sem_init(&global, 0, 0);
    pthread_create(&t, 0, waits, 0);
    usleep(HALF);
    sem_post(&global);
    return pthread_join(t, 0);
}

static int named_semaphore(int how)
{
    sem_t *s = sem_open(name, O_CREAT | (how == 0 ? O_EXCL : 0), 0600, how == 1);
    if (!fork()) {
        if (how == 1)
            _exit(0);
        usleep(HALF);
        _exit(sem_post(s));
    }
    sem_wait(s);
    sem_unlink(name);
    return wait(0) < 0;
}

/* Signals whose waits are safe. */
static volatile sig_atomic_t came;
static void notes(int signo) { came = signo; }
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void tries(int signo)
{
    if (!pthread_mutex_trylock(&lock))
        pthread_mutex_unlock(&lock);
    came = signo;
}
static void takes(int signo)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    came = signo;
}
static int handle(void (*how)(int), int locked)
{
    signal(SIGUSR1, how);
    pthread_mutex_lock(&lock);
    if (!locked)
        pthread_mutex_unlock(&lock);
    raise(SIGUSR1);
    return !came;
}

static int suspend(void)
{
    sigset_t mask, none;
    sigemptyset(&mask);
    sigemptyset(&none);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, 0);
    signal(SIGUSR1, notes);
    raise(SIGUSR1);
    while (!came)
        sigsuspend(&none);
    return 0;
}

static int pause_for_child(void)
{
    signal(SIGUSR1, notes);
    raise(SIGUSR1);
    pid_t parent = getpid();
    if (!fork()) {
        usleep(2 * HALF);
        _exit(kill(parent, SIGUSR1));
    }
    pause();
    return wait(0) < 0;
}

static int alarm_later(void)
{
    signal(SIGALRM, notes);
    alarm(1);
    pause();
    return !came;
}

/* Forks of threaded programs. */
static void *has_lock(void *x)
{
    pthread_mutex_lock(&lock);
    write(p[1], "x", 1);
    usleep(HALF);
    pthread_mutex_unlock(&lock);
    return x;
}
static int fork_with_lock(int how)
{
    pthread_t t;
    pipe(p);
    if (how == 2)
        pthread_atfork(0, 0, 0);
    pthread_create(&t, 0, has_lock, 0);
    read(p[0], big, 1);
    if (how == 1)
        pthread_join(t, 0);
    if (!fork()) {
        if (how == 0)
            execlp("true", "true", (char *)0);
        if (how == 2)
            pthread_mutex_init(&lock, 0);
        pthread_mutex_lock(&lock);
        _exit(0);
    }
    wait(0);
    return how != 1 && pthread_join(t, 0);
}

/* Queues that somebody serves. */
static int queue_served(int how)
{
    int id = msgget(IPC_PRIVATE, 0600);
    struct { long type; char text[8]; } m = {1, "x"};
    if (!fork()) {
        usleep(HALF);
        m.type = 2;
        _exit(msgsnd(id, &m, 8, 0));
    }
    if (how)
        msgsnd(id, &m, 8, 0);
    msgrcv(id, &m, 8, how ? 2 : 0, 0);
    return msgctl(id, IPC_RMID, 0) || wait(0) < 0;
}
static int queue_tried(void)
{
    struct mq_attr a = {.mq_maxmsg = 2, .mq_msgsize = 8};
    mqd_t d = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &a);
    mq_unlink(name);
    while (!mq_send(d, "x", 1, 0))
        ;
    return errno != EAGAIN;
}

static int vfork_and(int exec)
{
    if (!vfork()) {
        if (exec)
            execlp("sleep", "sleep", "1", (char *)0);
        usleep(2 * HALF);
        _exit(0);
    }
    return wait(0) < 0;
}

/* A record that is read to its end; a wait that sees to the end of its descriptor. */
static int read_whole(void)
{
    pipe(p);
    if (!fork()) {
        for (int i = 0; i < 3; i++) {
            write(p[1], big, 8);
            usleep(50000);
            write(p[1], big, 20);
        }
        _exit(0);
    }
    close(p[1]);
    for (int got = 0, n; (n = read(p[0], big + got, 28 - got)) > 0;)
        got = (got + n) % 28;
    return wait(0) < 0;
}

static int poll_and_close(int turns)
{
    pipe(p);
    if (!fork()) {
        close(p[0]);
        for (int i = 0; i < turns; i++) {
            write(p[1], "x", 1);
            usleep(2000);
        }
        _exit(0);
    }
    close(p[1]);
    struct pollfd one = {p[0], POLLIN, 0};
    while (poll(&one, 1, -1) > 0 && (one.revents & POLLIN))
        read(p[0], big, 1);
    return close(p[0]) || wait(0) < 0;
}

/* A list by offsets; one by addresses whose mapping lies at the same ones. */
static int link_in(int how)
{
    int fd = open("list", O_RDWR | O_CREAT, 0600);
    ftruncate(fd, 1 << 20);
    void *where = (void *)0x200000000000;
    char **list = mmap(how == 1 ? where : 0, 1 << 20, PROT_READ | PROT_WRITE,
                       MAP_SHARED | (how == 1 ? MAP_FIXED_NOREPLACE : 0), fd, 0);
    if (!strcmp(name, "reads")) {
        usleep(200000);
        return how == 1 && *list != (char *)list + 4096;
    }
    *list = how ? (char *)list + 4096 : (char *)4096;
    if (!fork()) {
        if (how < 2)
            execl(self, self, how ? "linked_fixed" : "linked_offset", "reads", (char *)0);
        usleep(200000);
        _exit(*list != (char *)list + 4096);
    }
    return wait(0) < 0;
}

static int queued_signals(int signo)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, signo);
    sigprocmask(SIG_BLOCK, &mask, 0);
    signal(signo, notes);
    for (int i = 0; i < 3; i++)
        raise(signo);
    return sigprocmask(SIG_UNBLOCK, &mask, 0);
}

static struct { const char *way; int (*does)(); int how; } table[] = {
    {"waits_for_little", wait_for_little}, {"closed_on_exec", close_and_read},
    {"own_pipe", own_both_ends}, {"filled", fill_and_empty}, {"turns", take_turns},
    {"packets", packets_end, 0}, {"last_datagram", packets_end, 1},
    {"unlocked", unlock_and_close}, {"let_go", let_go_and_wait}, {"same_order", same_order},
    {"tried", try_the_second}, {"recursive", recursive}, {"robust", robust_owner},
    {"undone", undone}, {"given_back", given_back}, {"shared_semaphore", shared_semaphore},
    {"of_threads", semaphore_of_threads}, {"named_new", named_semaphore, 0},
    {"named_one", named_semaphore, 1}, 
    {"suspended", suspend}, {"paused", pause_for_child},
    {"alarmed", alarm_later}, {"fork_exec", fork_with_lock, 0}, {"fork_after", fork_with_lock, 1},
    {"fork_anew", fork_with_lock, 2}, {"queue_any", queue_served, 0},
    {"queue_typed", queue_served, 1}, {"queue_tried", queue_tried}, {"vfork_slow", vfork_and, 0},
    {"vfork_exec", vfork_and, 1}, {"whole_records", read_whole}, {"poll_close", poll_and_close, 60},
    {"linked_offset", link_in, 0}, {"linked_fixed", link_in, 1}, {"linked_fork", link_in, 2},
    {"queued", queued_signals, 34}, {"urgent", queued_signals, SIGURG},
};

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";
    self = argv[0];
    name = argc > 2 ? argv[2] : "/none";
    if (!strcmp(way, "handler_notes"))
        return handle(notes, 1);
    if (!strcmp(way, "handler_tries"))
        return handle(tries, 1);
    if (!strcmp(way, "handler_takes"))
        return handle(takes, 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(way, table[i].way))
            return table[i].does(table[i].how);
    return 2;
}
