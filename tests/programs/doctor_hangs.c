/* Programs that hang, each for one reason; which one is said by the first argument.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
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
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static char big[200000];
static int p[2], q[2];

/* The key of a file in this folder: by that the test finds what is left of us, and removes it. */
static key_t key_here(void) {
  close(open("c_key", O_CREAT | O_WRONLY, 0600));
  return ftok("c_key", 1);
}

static pid_t child(void (*does)(void)) {
  pid_t pid = fork();
  if (!pid) {
    does();
    _exit(0);
  }
  return pid;
}

/* wait-before-read */
static void fills(void) { close(p[0]); write(p[1], big, sizeof big); }
static void wait_before_read(void) {
  pipe(p);
  pid_t pid = child(fills);
  close(p[1]);
  waitpid(pid, 0, 0);
  read(p[0], big, sizeof big);
}
static void fills_below(void) { child(fills); close(p[0]); close(p[1]); wait(0); }
static void wait_for_grandchild(void) {
  pipe(p);
  child(fills_below);
  close(p[1]);
  siginfo_t info;
  waitid(P_ALL, 0, &info, WEXITED);
}
static void fills_many(void) {
  close(p[0]);
  for (;;) write(p[1], big, sizeof big);
}
static void wait_over_socket_much(void) {
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  child(fills_many);
  close(p[1]);
  wait(0);
}

/* own-write-end */
static void reads_all(void) { while (read(p[0], big, sizeof big) > 0) ; }
static void own_write_end(void) {
  pipe(p);
  if (!fork()) { write(p[1], "x", 1); _exit(0); }
  reads_all();
}
static void waiters_write_end(void) {
  pipe(p);
  pid_t pid = fork();
  if (!pid) { close(p[1]); reads_all(); _exit(0); }
  write(p[1], "x", 1);
  waitpid(pid, 0, 0);
}

/* own-read-end */
static void own_read_end(void) {
  pipe(p);
  if (!fork()) { close(p[1]); read(p[0], big, 10); _exit(0); }
  for (;;) write(p[1], big, 4096);
}
static void waiters_read_end(void) {
  pipe(p);
  if (!fork()) { close(p[1]); read(p[0], big, 10); _exit(0); }
  if (!fork()) { close(p[0]); for (;;) write(p[1], big, 4096); }
  close(p[1]);
  while (wait(0) > 0) ;
}

/* waits-for-input */
static void waits_for_input(void) {
  pipe(p);
  pid_t pid = fork();
  if (!pid) { close(p[1]); dup2(p[0], 0); execlp("cat", "cat", (char *)0); }
  close(p[0]);
  waitpid(pid, 0, 0);
}

/* feeding-circle */
static void both_full(void) {
  pipe(p); pipe(q);
  if (!fork()) {
    close(p[0]); close(q[1]);
    write(p[1], big, sizeof big); read(q[0], big, 1); _exit(0);
  }
  close(p[1]); close(q[0]);
  write(q[1], big, sizeof big);
  read(p[0], big, 1);
}
static void both_empty(void) {
  pipe(p); pipe(q);
  if (!fork()) { close(p[0]); close(q[1]); read(q[0], big, 1); _exit(0); }
  close(p[1]); close(q[0]);
  read(p[0], big, 1);
}
static void coprocess(void) {
  pipe(p); pipe(q);
  if (!fork()) {
    dup2(q[0], 0); dup2(p[1], 1);
    close(p[0]); close(p[1]); close(q[0]); close(q[1]);
    char line[100];
    while (fgets(line, sizeof line, stdin)) printf("%s", line);
    _exit(0);
  }
  close(p[1]); close(q[0]);
  write(q[1], "hello\n", 6);
  read(p[0], big, 1);
}

/* fifo-open */
static void fifo_alone(void) { mkfifo("c_alone", 0600); open("c_alone", O_WRONLY); }
static void fifo_crossed(void) {
  mkfifo("c_one", 0600); mkfifo("c_two", 0600);
  if (!fork()) { open("c_one", O_RDONLY); open("c_two", O_WRONLY); _exit(0); }
  open("c_two", O_RDONLY); open("c_one", O_WRONLY);
}

/* dead-owner */
struct shared { pthread_mutex_t one, two; sem_t sem; };
static struct shared *map_shared(int pshared) {
  struct shared *s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setpshared(&a, pshared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
  pthread_mutex_init(&s->one, &a);
  pthread_mutex_init(&s->two, &a);
  sem_init(&s->sem, pshared, 1);
  return s;
}
static void dead_mutex(void) {
  struct shared *s = map_shared(1);
  if (!fork()) { pthread_mutex_lock(&s->one); _exit(0); }
  wait(0);
  pthread_mutex_lock(&s->one);
}
static void dead_semaphore(void) {
  struct shared *s = map_shared(1);
  if (!fork()) { sem_wait(&s->sem); kill(getpid(), SIGKILL); }
  wait(0);
  sem_wait(&s->sem);
}
static void dead_system_v(void) {
  int id = semget(key_here(), 1, IPC_CREAT | 0600);
  struct sembuf up = {0, 1, 0}, down = {0, -1, 0};
  semop(id, &up, 1);
  if (!fork()) { semop(id, &down, 1); _exit(0); }
  wait(0);
  if (!fork()) { semop(id, &down, 1); _exit(0); }
  wait(0);
}

/* private-semaphore */
static void private_semaphore(void) {
  struct shared *s = map_shared(0);
  sem_wait(&s->sem);
  if (!fork()) { sem_wait(&s->sem); _exit(0); }
  usleep(200000); /* The fault shows only if the child sleeps by then. */
  sem_post(&s->sem);
  wait(0);
}
static sem_t global;
static void copied_semaphore(void) {
  sem_init(&global, 1, 0);
  if (!fork()) { sem_wait(&global); _exit(0); }
  sem_post(&global);
  wait(0);
}

/* lock-order */
static struct shared *both;
static void *takes_two_one(void *x) {
  pthread_mutex_lock(&both->two);
  write(p[1], "x", 1); read(q[0], big, 1);
  pthread_mutex_lock(&both->one);
  return x;
}
static void mutex_order(void) {
  pipe(p); pipe(q);
  both = map_shared(1);
  pthread_t t;
  pthread_create(&t, 0, takes_two_one, 0);
  pthread_mutex_lock(&both->one);
  write(q[1], "x", 1); read(p[0], big, 1);
  pthread_mutex_lock(&both->two);
}
static void mutex_order_of_processes(void) {
  pipe(p); pipe(q);
  both = map_shared(1);
  if (!fork()) { takes_two_one(0); _exit(0); }
  pthread_mutex_lock(&both->one);
  write(q[1], "x", 1); read(p[0], big, 1);
  pthread_mutex_lock(&both->two);
}
static void file_lock_order(void) {
  pipe(p); pipe(q);
  int one = open("c_lock1", O_RDWR | O_CREAT, 0600), two = open("c_lock2", O_RDWR | O_CREAT, 0600);
  struct flock l = {.l_type = F_WRLCK};
  if (!fork()) {
    fcntl(two, F_SETLKW, &l);
    write(p[1], "x", 1); read(q[0], big, 1);
    int again = open("c_lock1", O_RDWR);
    flock(again, LOCK_EX);
    _exit(0);
  }
  flock(one, LOCK_EX);
  write(q[1], "x", 1); read(p[0], big, 1);
  fcntl(two, F_SETLKW, &l);
}

/* queue */
static void queue_type(void) {
  int id = msgget(key_here(), IPC_CREAT | 0600);
  struct { long type; char text[8]; } m = {1, "x"};
  if (!fork()) { msgrcv(id, &m, 8, 2, 0); _exit(0); }
  msgsnd(id, &m, 8, 0);
  wait(0);
}
static void queue_full(void) {
  struct mq_attr a = {.mq_maxmsg = 2, .mq_msgsize = 8};
  mqd_t d = mq_open("/ipcviz-doctor-full", O_RDWR | O_CREAT, 0600, &a);
  mq_unlink("/ipcviz-doctor-full");
  for (;;) mq_send(d, "x", 1, 0);
}

/* lost-wakeup */
static volatile sig_atomic_t came;
static void catches(int signo) { came = signo; }
static void lost_alarm(void) {
  signal(SIGALRM, catches);
  alarm(1);
  while (!came) ;
  pause();
}
static void lost_usr1(void) {
  sigset_t none;
  sigemptyset(&none);
  signal(SIGUSR1, catches);
  raise(SIGUSR1);
  sigsuspend(&none);
}

/* handler-lock, forked-lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void locks(int signo) { (void)signo; pthread_mutex_lock(&lock); }
static void handler_mutex(void) {
  signal(SIGUSR1, locks);
  pthread_mutex_lock(&lock);
  raise(SIGUSR1);
}
static void *holds(void *x) { pthread_mutex_lock(&lock); write(p[1], "x", 1); pause(); return x; }
static void forked_mutex(void) {
  pipe(p);
  pthread_t t;
  pthread_create(&t, 0, holds, 0);
  read(p[0], big, 1);
  if (!fork()) { pthread_mutex_lock(&lock); _exit(0); }
  wait(0);
}

/* stopped */
static void stopped_child(void) {
  pid_t pid = fork();
  if (!pid) { raise(SIGSTOP); _exit(0); }
  waitpid(pid, 0, 0);
}
static void stopped_writer(void) {
  pipe(p);
  if (!fork()) { close(p[0]); raise(SIGSTOP); write(p[1], "x", 1); _exit(0); }
  close(p[1]);
  read(p[0], big, 1);
}

/* leaked-descriptor: a program that is executed has the write end, and does not know it. */
static void leaked_end(void) {
  pipe(p);
  if (!fork()) { close(p[0]); dup2(open("/dev/null", O_WRONLY), 1); execlp("sleep", "sleep", "30", (char *)0); }
  if (!fork()) { write(p[1], "x", 1); _exit(0); }
  close(p[1]);
  reads_all();
}

/* datagram-end */
static void datagram_pair(void) {
  socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
  if (!fork()) { close(p[0]); send(p[1], "x", 1, 0); _exit(0); }
  close(p[1]);
  while (recv(p[0], big, sizeof big, 0) > 0) ;
}

/* inherited-lock: who took it closes the file, and waits for it again; a child has it. */
static void lock_of_child(void) {
  int fd = open("c_lock", O_RDWR | O_CREAT, 0600);
  flock(fd, LOCK_EX);
  if (!fork()) { sleep(30); _exit(0); }
  close(fd);
  flock(open("c_lock", O_RDWR), LOCK_EX);
}

/* vfork-wait */
static void vfork_reads(void) {
  pipe(p);
  if (!vfork()) { read(p[0], big, 1); _exit(0); }
  write(p[1], "x", 1);
}
static void vfork_locks(void) {
  int fd = open("c_lock", O_RDWR | O_CREAT, 0600);
  flock(fd, LOCK_EX);
  if (!vfork()) { flock(open("c_lock", O_RDWR), LOCK_EX); _exit(0); }
}

/* circle: a parent waits for its child, and has the lock that the child wants. */
static void waits_with_lock(void) {
  flock(open("c_lock", O_RDWR | O_CREAT, 0600), LOCK_EX);
  if (!fork()) { flock(open("c_lock", O_RDWR), LOCK_EX); _exit(0); }
  wait(0);
}

/* handler-lock, by a timer's signal; forked-lock, in memory from malloc */
static volatile int done;
static void handler_alarm(void) {
  struct itimerval soon = {.it_value.tv_usec = 100000};
  signal(SIGALRM, locks);
  pthread_mutex_lock(&lock);
  setitimer(ITIMER_REAL, &soon, 0);
  while (!done) ;
  pthread_mutex_unlock(&lock);
}
static void handler_by_child(void) {
  signal(SIGUSR1, locks);
  pthread_mutex_lock(&lock);
  if (!fork()) { usleep(100000); kill(getppid(), SIGUSR1); _exit(0); }
  wait(0);
  while (!done) ;
}
static pthread_mutex_t *on_heap;
static void *holds_on_heap(void *x) { pthread_mutex_lock(on_heap); write(p[1], "x", 1); pause(); return x; }
static void forked_on_heap(void) {
  pipe(p);
  on_heap = calloc(1, sizeof *on_heap);
  pthread_t t;
  pthread_create(&t, 0, holds_on_heap, 0);
  read(p[0], big, 1);
  pid_t pid = fork();
  if (!pid) { pthread_mutex_lock(on_heap); _exit(0); }
  waitpid(pid, 0, 0);
}

/* private-semaphore, in memory from malloc, of a grandchild */
static void heap_semaphore(void) {
  sem_t *s = malloc(sizeof *s);
  sem_init(s, 1, 0);
  if (!fork()) { sem_wait(s); _exit(0); }
  usleep(100000);
  sem_post(s);
  wait(0);
}

/* stale-semaphore */
static const char *given;
static void stale_semaphore(void) { sem_wait(sem_open(given, O_CREAT, 0600, 1)); }

static struct { const char *name; void (*does)(void); } table[] = {
  {"leaked_end", leaked_end}, {"datagram_pair", datagram_pair}, {"lock_of_child", lock_of_child},
  {"vfork_reads", vfork_reads}, {"vfork_locks", vfork_locks}, {"waits_with_lock", waits_with_lock},
  {"handler_alarm", handler_alarm}, {"forked_on_heap", forked_on_heap},
  {"heap_semaphore", heap_semaphore}, {"stale_semaphore", stale_semaphore},
  {"wait_before_read", wait_before_read}, {"wait_for_grandchild", wait_for_grandchild},
  {"wait_over_socket_much", wait_over_socket_much},
  {"own_write_end", own_write_end}, {"waiters_write_end", waiters_write_end},
  {"own_read_end", own_read_end}, {"waiters_read_end", waiters_read_end},
  {"waits_for_input", waits_for_input},
  {"both_full", both_full}, {"both_empty", both_empty}, {"coprocess", coprocess},
  {"fifo_alone", fifo_alone}, {"fifo_crossed", fifo_crossed},
  {"dead_mutex", dead_mutex}, {"dead_semaphore", dead_semaphore}, {"dead_system_v", dead_system_v},
  {"private_semaphore", private_semaphore}, {"copied_semaphore", copied_semaphore},
  {"mutex_order", mutex_order}, {"mutex_order_of_processes", mutex_order_of_processes},
  {"file_lock_order", file_lock_order},
  {"queue_type", queue_type}, {"queue_full", queue_full},
  {"lost_alarm", lost_alarm}, {"lost_usr1", lost_usr1},
  {"handler_mutex", handler_mutex}, {"handler_by_child", handler_by_child},
  {"forked_mutex", forked_mutex},
  {"stopped_child", stopped_child}, {"stopped_writer", stopped_writer},
};

int main(int argc, char **argv) {
  given = argc > 2 ? argv[2] : "/none";
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (argc > 1 && !strcmp(argv[1], table[i].name)) { table[i].does(); return 0; }
  return 2;
}
