/* cflags: -g */
/* Variables of every shape, and a chain of calls through libc and a handler: what debug information must tell. */
#include "common.h"

typedef struct {
    char text[20];
} Message;
struct queue {
    sem_t lock;
    int in, out;
    union {
        long whole;
        double real;
    };
    unsigned bits : 3;
    Message slot[5];
    struct queue *next;
};
enum colour { RED, GREEN };

struct queue first;
struct queue *queue = &first;
volatile int counter;
_Bool flag;
enum colour colour = GREEN;
unsigned char matrix[3][4];
const double ratio = 0.5;
_Thread_local int mine;

static int compare(const void *left, const void *right)
{
    pause(); /* LINE compare */
    return *(const int *)left - *(const int *)right;
}

static void on_usr1(int signo)
{
    int numbers[] = {3, 2, 1};
    qsort(numbers, 3, sizeof *numbers, compare); /* LINE on_usr1 */
    counter += signo;
}

static __attribute__((noinline)) int descend(int depth)
{
    if (depth > 0)
        return descend(depth - 1) + 1; /* LINE descend */
    kill(getpid(), SIGUSR1); /* LINE bottom */
    return 0;
}

int main(void)
{
    static unsigned long calls;
    struct queue **volatile keep = &queue; /* so that no compiler leaves it out */
    calls++;
    (*keep)->next = &first;
    on_signal(SIGUSR1, on_usr1, 0);
    printf("%p %p %p %p\n", (void *)&first, (void *)&counter, (void *)&calls, (void *)&queue);
    fflush(stdout);
    descend(3); /* LINE main */
    return flag + mine + matrix[0][0] + (int)ratio + colour;
}
