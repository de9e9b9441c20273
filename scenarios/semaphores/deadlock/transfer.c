/* usage: transfer as-given|in-order [WINDOW]
 * Two accounts with a semaphore each. One process moves money from left to right, one from right
 * to left, and each takes both semaphores before it touches the money. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct account {
    sem_t lock;
    int balance;
};

static struct account *left, *right;
static int in_order;
static double window;

static void transfer(struct account *from, struct account *to, int amount)
{
    struct account *first = from, *second = to;
    if (in_order && second < first) { /* mended: whoever needs both takes the lower one first */
        first = to;
        second = from;
    }
    sem_wait(&first->lock);
    if (window > 0)
        usleep(window * 1e6); /* anything can happen here; now it takes longer */
    sem_wait(&second->lock);
    from->balance -= amount;
    to->balance += amount;
    sem_post(&second->lock);
    sem_post(&first->lock);
}

int main(int argc, char **argv)
{
    in_order = argc > 1 && strcmp(argv[1], "in-order") == 0;
    window = argc > 2 ? atof(argv[2]) : 0.1;

    left = mmap(NULL, 2 * sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (left == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    right = left + 1;
    left->balance = right->balance = 100;
    sem_init(&left->lock, 1, 1); /* 1: between processes; 1: one may pass */
    sem_init(&right->lock, 1, 1);

    if (fork() == 0) {
        transfer(left, right, 10);
        return 0;
    }
    if (fork() == 0) {
        transfer(right, left, 20);
        return 0;
    }
    while (wait(NULL) > 0)
        ;
    printf("left %d, right %d\n", left->balance, right->balance);
    return 0;
}
