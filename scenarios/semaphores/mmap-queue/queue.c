/* usage: queue [SLOTS] [MESSAGES] [PUT_SECONDS] [GET_SECONDS] [stack|ring]
 * A producer and a consumer process, and between them a bounded queue in a mapped file. */
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct queue {
    sem_t _lock;  /* 1 while nobody is at the slots */
    sem_t _empty; /* how many slots are free */
    sem_t _full;  /* how many slots hold a message */
    int size, ring, in, out;
    int slot[64];
};

static void put(struct queue *q, int message) {
    sem_wait(&q->_empty);
    sem_wait(&q->_lock);
    q->slot[q->in++] = message; /* stack: in is the top */
    if (q->ring) q->in %= q->size;
    sem_post(&q->_lock);
    sem_post(&q->_full);
}

static int get(struct queue *q) {
    sem_wait(&q->_full);
    sem_wait(&q->_lock);
    int message = q->slot[q->ring ? q->out++ : --q->in];
    if (q->ring) q->out %= q->size;
    sem_post(&q->_lock);
    sem_post(&q->_empty);
    return message;
}

int main(int argc, char **argv) {
    int slots = argc > 1 ? atoi(argv[1]) : 4, messages = argc > 2 ? atoi(argv[2]) : 12;
    double put_time = argc > 3 ? atof(argv[3]) : 0.1, get_time = argc > 4 ? atof(argv[4]) : 0.3;
    setvbuf(stdout, NULL, _IOLBF, 0); /* line by line: two processes write to the same place */
    if (slots < 1 || slots > 64) return fprintf(stderr, "1 to 64 slots, please\n"), 1;

    int fd = open("shared.dat", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct queue)) < 0) return perror("shared.dat"), 1;
    struct queue *q = mmap(NULL, sizeof *q, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (q == MAP_FAILED) return perror("mmap"), 1;
    q->size = slots;
    q->ring = argc > 5 && strcmp(argv[5], "ring") == 0;
    sem_init(&q->_lock, 1, 1); /* the second argument: shared between processes */
    sem_init(&q->_empty, 1, slots);
    sem_init(&q->_full, 1, 0);

    if (fork() == 0) { /* the producer */
        for (int n = 1; n <= messages; n++) {
            put(q, n);
            printf("put %d\n", n);
            usleep(put_time * 1e6);
        }
        return 0;
    }
    if (fork() == 0) { /* the consumer */
        for (int n = 1; n <= messages; n++) {
            printf("got %d\n", get(q));
            usleep(get_time * 1e6);
        }
        return 0;
    }
    while (wait(NULL) > 0)
        ;
    return unlink("shared.dat");
}
