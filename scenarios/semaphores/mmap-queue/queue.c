/* usage: queue [SLOTS] [MESSAGES] [PUT_SECONDS] [GET_SECONDS] [stack|ring|past]
 * A producer and a consumer process, and between them a bounded queue in a mapped file. */
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 5, BYTES = 20 };

struct message {
    sem_t _lock;  /* 1 while nobody is at the slots */
    sem_t _empty; /* how many slots are free */
    sem_t _full;  /* how many slots hold a message */
    int _current, _first; /* stack: the top; ring: where the next one is put, and taken */
    char _slot[SLOTS][BYTES];
    int _total; /* how many messages are sent in all */
};

static struct message *m;
static int slots = SLOTS, ring, past;

static char *slot_to_fill(void) {
    if (past) return m->_slot[++m->_current]; /* 1 to 5, and there are only 0 to 4 */
    if (ring) return m->_slot[m->_current++ % slots];
    return m->_slot[m->_current++];
}

static char *slot_to_take(void) {
    if (past) return m->_slot[m->_current--];
    if (ring) return m->_slot[m->_first++ % slots]; /* what was put first */
    return m->_slot[--m->_current];                 /* what was put last */
}

static void put(int n) {
    sem_wait(&m->_empty);
    sem_wait(&m->_lock);
    snprintf(slot_to_fill(), BYTES, "message %d", n);
    sem_post(&m->_lock);
    sem_post(&m->_full);
}

static void get(char text[BYTES]) {
    sem_wait(&m->_full);
    sem_wait(&m->_lock);
    memcpy(text, slot_to_take(), BYTES);
    sem_post(&m->_lock);
    sem_post(&m->_empty);
}

int main(int argc, char **argv) {
    if (argc > 1) slots = atoi(argv[1]);
    int messages = argc > 2 ? atoi(argv[2]) : 100;
    double put_time = argc > 3 ? atof(argv[3]) : 0.1, get_time = argc > 4 ? atof(argv[4]) : 0.3;
    ring = argc > 5 && strcmp(argv[5], "ring") == 0;
    past = argc > 5 && strcmp(argv[5], "past") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0); /* line by line: two processes write to the same place */
    if (slots < 1 || slots > SLOTS) return fprintf(stderr, "1 to %d slots, please\n", SLOTS), 1;

    int fd = open("shared.dat", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, sysconf(_SC_PAGESIZE)) < 0) return perror("shared.dat"), 1;
    m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (m == MAP_FAILED) return perror("mmap"), 1;
    m->_total = messages;
    sem_init(&m->_lock, 1, 1); /* the second argument: shared between processes */
    sem_init(&m->_empty, 1, slots);
    sem_init(&m->_full, 1, 0);

    if (fork() == 0) { /* the producer */
        for (int n = 1; n <= messages; n++) {
            put(n);
            printf("put message %d\n", n);
            if (put_time > 0) usleep(put_time * 1e6);
        }
        return 0;
    }
    if (fork() == 0) { /* the consumer */
        for (int n = 1; n <= messages; n++) {
            char text[BYTES];
            get(text);
            printf("got %s\n", text);
            if (get_time > 0) usleep(get_time * 1e6);
        }
        return 0;
    }
    while (wait(NULL) > 0)
        ;
    printf("%d messages in all\n", m->_total);
    return unlink("shared.dat");
}
